import type { Decision } from "../core/operator/standing.ts";
import { amount, damaged, decode, encode, registryKeys, text } from "./records.ts";

/** What an operator has decided about an agent. Kept apart from the agent, which may leave and come back. */
export interface StoredStanding {
  readonly agentId: string;
  /** The agent's name when it was decided, for people. */
  readonly agentName: string;
  readonly decision: Decision;
}

export function standingKey(agentId: string): string {
  return `${registryKeys.standings}${agentId}`;
}

export function encodeStanding(stored: StoredStanding): Uint8Array {
  const { agentId, agentName, decision } = stored;
  return encode({ agentId, agentName, ...decision });
}

/** Throws a MusterError that names the key if the bytes are not what was written. */
export function decodeStanding(key: string, value: Uint8Array): StoredStanding {
  const record = decode(key, value);
  const of = { agentId: text(key, record, "agentId"), agentName: text(key, record, "agentName") };
  const since = amount(key, record, "since");
  const name = text(key, record, "name");
  if (name === "deactivated" || name === "drained" || name === "gone") return { ...of, decision: { name, since } };
  if (name !== "draining") throw damaged(key, `names no standing: ${name}`);
  const deadlineAt = amount(key, record, "deadlineAt");
  const graceMsMax = record["graceMsMax"] === undefined ? undefined : amount(key, record, "graceMsMax");
  return { ...of, decision: { name, since, deadlineAt, graceMsMax, markGone: record["markGone"] === true } };
}

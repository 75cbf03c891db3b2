import { MusterError } from "@muster/foundation";
import type { Agent, Framework } from "../core/model.ts";

/** Keys of the store that the master's registry uses. State of frameworks lives below "state/". */
export const registryKeys = {
  clusterId: "cluster/id",
  agents: "agents/",
  frameworks: "frameworks/",
  overlays: "overlays/",
  roles: "roles/",
  budgets: "budgets/",
  standings: "standings/",
} as const;

export function agentKey(agentId: string): string {
  return `${registryKeys.agents}${agentId}`;
}

export function frameworkKey(frameworkId: string): string {
  return `${registryKeys.frameworks}${frameworkId}`;
}

export function leaseKey(network: string, index: number): string {
  return `${registryKeys.overlays}${network}/${index}`;
}

/** A subnet of an overlay network that an agent has, or had last. */
export interface StoredLease {
  readonly network: string;
  readonly index: number;
  /** As the network's range was when it was written. */
  readonly subnet: string;
  readonly agentId: string;
  readonly underlayIp: string;
  readonly underlayIp6: string;
  /** Milliseconds since the epoch; 0 while the agent has it. */
  readonly releasedAt: number;
}

export function encodeLease(lease: StoredLease): Uint8Array {
  return encode(lease);
}

/** Throws a MusterError that names the key if the bytes are not what was written. */
export function decodeLease(key: string, value: Uint8Array): StoredLease {
  const record = decode(key, value);
  return {
    network: text(key, record, "network"),
    index: amount(key, record, "index"),
    subnet: text(key, record, "subnet"),
    agentId: text(key, record, "agentId"),
    underlayIp: text(key, record, "underlayIp"),
    underlayIp6: text(key, record, "underlayIp6"),
    releasedAt: amount(key, record, "releasedAt"),
  };
}

/** An agent that has been admitted. Its tasks are on its own disk, not here. */
export interface StoredAgent {
  readonly agentId: string;
  readonly name: string;
  readonly address: string;
  readonly ip: string;
  /** Milliseconds since the epoch; 0 unless it did not answer within its bound. */
  readonly unreachableAt: number;
}

/** A framework that has subscribed. */
export interface StoredFramework {
  readonly frameworkId: string;
  readonly name: string;
  readonly roles: readonly string[];
  readonly jobTypes: readonly string[];
  readonly principal: string;
  readonly version: string;
  readonly failoverTimeoutMs: number;
  /** Milliseconds since the epoch; 0 while connected. */
  readonly disconnectedAt: number;
  /** Milliseconds since the epoch; 0 unless it is over for ever. */
  readonly completedAt: number;
}

export function encodeAgent(agent: Agent, unreachableAt: number): Uint8Array {
  const { id: agentId, name, address, ip } = agent;
  return encode({ agentId, name, address, ip, unreachableAt } satisfies StoredAgent);
}

export function encodeFramework(framework: Framework, completedAt: number): Uint8Array {
  return encode({
    frameworkId: framework.id,
    name: framework.name,
    roles: framework.roles,
    jobTypes: framework.jobTypes,
    principal: framework.principal,
    version: framework.version,
    failoverTimeoutMs: framework.failoverTimeoutMs,
    disconnectedAt: framework.disconnectedAt,
    completedAt,
  } satisfies StoredFramework);
}

/** Throws a MusterError that names the key if the bytes are not what was written. */
export function decodeAgent(key: string, value: Uint8Array): StoredAgent {
  const record = decode(key, value);
  return {
    agentId: text(key, record, "agentId"),
    name: text(key, record, "name"),
    address: text(key, record, "address"),
    ip: text(key, record, "ip"),
    unreachableAt: amount(key, record, "unreachableAt"),
  };
}

/** Throws a MusterError that names the key if the bytes are not what was written. */
export function decodeFramework(key: string, value: Uint8Array): StoredFramework {
  const record = decode(key, value);
  return {
    frameworkId: text(key, record, "frameworkId"),
    name: text(key, record, "name"),
    roles: texts(key, record, "roles"),
    jobTypes: texts(key, record, "jobTypes"),
    principal: text(key, record, "principal"),
    version: text(key, record, "version"),
    failoverTimeoutMs: amount(key, record, "failoverTimeoutMs"),
    disconnectedAt: amount(key, record, "disconnectedAt"),
    completedAt: amount(key, record, "completedAt"),
  };
}

export type Fields = Readonly<Record<string, unknown>>;

export function encode(record: object): Uint8Array {
  return new TextEncoder().encode(JSON.stringify(record));
}

export function decode(key: string, value: Uint8Array): Fields {
  let record: unknown;
  try {
    record = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(value));
  } catch (cause) {
    throw damaged(key, "is no JSON", cause);
  }
  if (typeof record !== "object" || record === null) throw damaged(key, "is no record");
  return record as Fields;
}

export function damaged(key: string, fault: string, cause?: unknown): MusterError {
  const message = `the store's entry ${key} ${fault}: restore the data folder from a copy, or move it away`;
  return new MusterError("internal", message, { field: key, cause });
}

export function text(key: string, record: Fields, name: string): string {
  const value = record[name];
  if (typeof value !== "string") throw damaged(key, `lacks ${name}`);
  return value;
}

function texts(key: string, record: Fields, name: string): readonly string[] {
  const value = record[name];
  if (!Array.isArray(value) || value.some((item) => typeof item !== "string")) throw damaged(key, `lacks ${name}`);
  return value as string[];
}

export function amount(key: string, record: Fields, name: string): number {
  const value = record[name];
  if (typeof value !== "number") throw damaged(key, `lacks ${name}`);
  return value;
}

import type { AgentRecord, FrameworkRecord } from "@muster/proto";
import { type Client, message } from "../../connect/client.ts";
import { uniquePrefix } from "../job/find.ts";

/** The agent of that id or name, or the only one that begins so; else an error that tells what there is. */
export async function findAgent(client: Client, given: string): Promise<AgentRecord> {
  const { agents } = await client.call("Operator.ListAgents", message("ListAgentsRequest"));
  return findIn("agent", given, agents, ({ agentId }) => agentId);
}

/** The same of frameworks. */
export async function findFramework(client: Client, given: string): Promise<FrameworkRecord> {
  const { frameworks } = await client.call("Operator.ListFrameworks", message("ListFrameworksRequest"));
  return findIn("framework", given, frameworks, ({ frameworkId }) => frameworkId);
}

function findIn<R extends { name: string }>(
  kind: string,
  given: string,
  records: readonly R[],
  idOf: (record: R) => string,
): R {
  const exact = records.find((record) => record.name === given || idOf(record) === given);
  // A name may begin an id of the same one: that is one match.
  const matches = records.filter((record) => record.name.startsWith(given) || idOf(record).startsWith(given));
  const found = exact ?? (matches.length === 1 ? matches[0] : undefined);
  if (found) return found;
  const names = records.flatMap((record) => [record.name, idOf(record)]);
  const name = uniquePrefix(kind, given, names, `muster ${kind} list`);
  throw new Error(`${kind} ${name} left while it was looked up`);
}

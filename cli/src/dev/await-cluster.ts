import { AgentState } from "@muster/proto";
import { toCliError } from "../cli-error.ts";
import { type Client, message } from "../connect/client.ts";
import type { Layout } from "./layout.ts";
import { frameworkNames } from "./plan.ts";

const askEveryMs = 40;

/** Ids of the agents by name, once every agent is registered and every framework takes jobs. */
export async function awaitCluster(
  client: Client,
  layout: Layout,
  isOver: () => boolean,
): Promise<Map<string, string>> {
  for (;;) {
    const ids = await askOnce(client);
    if (ids !== undefined && layout.agents.every(({ name }) => ids.has(name))) return ids;
    if (isOver()) return new Map();
    await new Promise((resolve) => setTimeout(resolve, askEveryMs));
  }
}

async function askOnce(client: Client): Promise<Map<string, string> | undefined> {
  try {
    const { frameworks } = await client.call("Operator.ListFrameworks", message("ListFrameworksRequest"));
    const takesJobs = (name: string): boolean =>
      frameworks.some((framework) => framework.name === name && framework.connected && framework.jobTypes.length > 0);
    if (!frameworkNames.every(takesJobs)) return undefined;
    const { agents } = await client.call("Operator.ListAgents", message("ListAgentsRequest"));
    const registered = agents.filter((agent) => agent.state === AgentState.AGENT_STATE_REGISTERED);
    return new Map(registered.map(({ name, agentId }) => [name, agentId]));
  } catch (error) {
    // The master may not lead yet.
    if (toCliError(error).kind === "unavailable") return undefined;
    throw error;
  }
}

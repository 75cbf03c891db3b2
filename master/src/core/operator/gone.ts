import { MusterError } from "@muster/foundation";
import { StatusReason } from "@muster/proto";
import { standingKey } from "../../registry/standings.ts";
import { closeAgent, endAgentSession, endTasksOf, forgetAgent } from "../agent-life.ts";
import type { Core } from "../core.ts";
import { limits } from "../limits.ts";
import type { Agent, AgentSession } from "../model.ts";
import { retire } from "../tasks.ts";

/** Where a gone agent says what has to be done if its machine is to take part again. */
const goneMessage = "an operator has marked this agent as gone: with an empty data folder it may join as a new one";

/** The agent never comes back: its tasks are over, its id is refused. O(its tasks). */
export function expelAgent(core: Core, agentId: string, agent: Agent | undefined, since: number): void {
  rememberGone(core, agentId, agent?.name ?? "", since);
  if (agent === undefined) return;
  const session = core.state.agentSessions.get(agent.connection);
  closeAgent(core, agent.connection);
  endTasksOf(core, agent, StatusReason.REASON_AGENT_GONE, "an operator has marked its agent as gone");
  // These ends were told; nobody can take their acknowledgement any more.
  for (const task of [...agent.ended]) retire(core, task);
  forgetAgent(core, agent);
  if (session) refuseGone(core, session);
  core.log("warn", { agentId }, "agent gone, as an operator has said");
}

/** Tells an agent that it is gone; it ends its tasks, and itself. */
export function refuseGone(core: Core, session: AgentSession): void {
  core.toAgent(session.connection, "shutDown", { reason: goneMessage }, 256);
  endAgentSession(core, session, new MusterError("wrong-state", goneMessage));
}

/** The oldest are forgotten first: nobody has heard of them for long. */
function rememberGone(core: Core, agentId: string, name: string, since: number): void {
  const { gone } = core.state;
  gone.set(agentId, { name, since });
  if (gone.size <= limits.goneAgents) return;
  const oldest = gone.keys().next().value as string;
  gone.delete(oldest);
  core.effects.push({ type: "store", key: standingKey(oldest), value: undefined, written: undefined });
}

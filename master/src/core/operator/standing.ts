import { countTotal } from "../cluster-total.ts";
import type { Agent, MasterState } from "../model.ts";

/** What an operator has decided about an agent that is still part of the cluster. */
export type Standing =
  | { readonly name: "deactivated"; readonly since: number }
  | {
      readonly name: "draining";
      readonly since: number;
      /** Tasks that are left then are ended; milliseconds since the epoch. */
      readonly deadlineAt: number;
      /** They get at most this grace; undefined: their own. */
      readonly graceMsMax: number | undefined;
      /** Marked as gone as soon as it is empty. */
      readonly markGone: boolean;
    }
  | { readonly name: "drained"; readonly since: number };

/** All that the registry may hold of an agent: how it stands, or that it never comes back. */
export type Decision = Standing | { readonly name: "gone"; readonly since: number };

/** An agent that never comes back. */
export interface GoneAgent {
  readonly name: string;
  readonly since: number;
}

/** Whether new tasks may be placed on an agent. */
export function takesTasks(agent: Agent): boolean {
  return agent.state === "registered" && agent.standing === undefined;
}

/** Sets how an agent stands, whether it is here or not. */
export function setStanding(state: MasterState, agentId: string, standing: Standing | undefined): void {
  if (standing === undefined) state.standings.delete(agentId);
  else state.standings.set(agentId, standing);
  const agent = state.agents.get(agentId);
  if (agent === undefined) return;
  agent.standing = standing;
  countTotal(state, agent, takesTasks(agent));
  if (standing?.name === "draining") state.draining.add(agent);
  else state.draining.delete(agent);
  state.leaving.add(agent);
  state.changedAgents.add(agent);
}

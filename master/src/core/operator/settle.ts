import type { Core } from "../core.ts";
import type { Agent } from "../model.ts";
import { nothingAffected } from "./affected.ts";
import { storeChange } from "./commands.ts";

/** Ends drains of agents on which nothing is left. Called once a tick; O(agents that are being drained). */
export function settleDrains(core: Core): void {
  const { draining, deciding } = core.state;
  for (const agent of draining) {
    const { standing } = agent;
    if (standing?.name !== "draining" || deciding.has(agent.id) || !isEmpty(agent, standing.markGone)) continue;
    const decision = { name: standing.markGone ? "gone" : "drained", since: core.epochMs } as const;
    storeChange(core, 0, { type: "decision", agentId: agent.id, decision }, nothingAffected);
  }
}

/** Whether nothing is left, as far as can be known: an agent that this master has not met may have anything. */
function isEmpty(agent: Agent, markGone: boolean): boolean {
  if (markGone && agent.drainForced && agent.state === "unreachable") return true;
  return agent.registeredAt > 0 && agent.tasks.size === 0 && agent.ended.size === 0;
}

import { AgentStanding, type ClusterAgent, maintenanceAheadMs } from "@muster/framework-sdk";
import type { JobEntry, Now, ServicesState } from "./model.ts";

/** In how many milliseconds instances are to move away from an agent: 0 or less means now; undefined: not at all. */
export function leavesInMs(agent: ClusterAgent | undefined, now: Now): number | undefined {
  if (agent === undefined) return undefined;
  if (agent.standing === AgentStanding.AGENT_STANDING_DRAINING) return 0;
  return agent.maintenanceAt > 0 ? agent.maintenanceAt - maintenanceAheadMs - now.epochMs : undefined;
}

/** Whether anything but system jobs has an instance on an agent: those leave last. O(instances). */
export function hasOthers(state: ServicesState, agentId: string): boolean {
  for (const { current, instances } of state.jobs.values()) {
    if (current.job.type === "system") continue;
    for (const instance of instances.values()) if (instance.agentId === agentId) return true;
  }
  return false;
}

/** Agents from which something is to move away, now or later, each with what it depends on. O(agents). */
export function leavingAgents(agents: ReadonlyMap<string, ClusterAgent>): Map<string, string> {
  const leaving = new Map<string, string>();
  for (const { agentId, standing, maintenanceAt } of agents.values())
    if (standing === AgentStanding.AGENT_STANDING_DRAINING || maintenanceAt > 0)
      leaving.set(agentId, `${standing} ${maintenanceAt}`);
  return leaving;
}

/** Jobs with instances on agents that are to be left now and were not before, or the other way round. */
export function jobsToMove(
  state: ServicesState,
  before: ReadonlyMap<string, string>,
  after: ReadonlyMap<string, string>,
): JobEntry[] {
  const changed = new Set([...before.keys(), ...after.keys()].filter((id) => before.get(id) !== after.get(id)));
  if (changed.size === 0) return [];
  return [...state.jobs.values()].filter(({ instances }) =>
    [...instances.values()].some(({ agentId }) => changed.has(agentId)),
  );
}

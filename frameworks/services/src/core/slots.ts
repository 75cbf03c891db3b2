import { type ClusterAgent, constraintFault, isUsable, noNeighbours } from "@muster/framework-sdk";
import type { TaskGroup } from "@muster/jobspecs";
import type { Instance, JobEntry, Slot } from "./model.ts";
import { systemKey } from "./statuses.ts";

/** The places of a group: so many as its count, or of a system job one per agent that it may run on. */
export function slotsOf(
  entry: JobEntry,
  group: TaskGroup,
  agents: ReadonlyMap<string, ClusterAgent>,
  instances: readonly Instance[],
): Slot[] {
  if (entry.isStopped || group.count === 0) return [];
  if (entry.current.job.type !== "system")
    return Array.from({ length: group.count }, (_, index) => ({ index, agentId: undefined }));
  const wanted = new Map<string, Slot>();
  const used = new Set<number>();
  for (const [key, index] of entry.systemIndexes) if (key.startsWith(`${group.name}/`)) used.add(index);
  const add = (agentId: string): void => {
    const key = systemKey(group.name, agentId);
    let index = entry.systemIndexes.get(key);
    if (index === undefined) {
      index = 0;
      while (used.has(index)) index++;
      used.add(index);
      entry.systemIndexes.set(key, index);
    }
    wanted.set(agentId, { index, agentId });
  };
  const constraints = entry.current.needs.get(group.name)?.constraints ?? [];
  for (const agent of agents.values()) {
    if (!isUsable(agent)) continue;
    const traits = { agentId: agent.agentId, agentName: agent.name, attributes: agent.attributes };
    if (constraints.every((constraint) => constraintFault(constraint, traits, noNeighbours) === undefined))
      add(agent.agentId);
  }
  // An agent that is away for a while keeps its instance.
  for (const { agentId } of instances) {
    const agent = agents.get(agentId);
    if (agent === undefined || !isUsable(agent)) add(agentId);
  }
  return [...wanted.values()];
}

import { type ClusterAgent, Health, isAmongAll, isUsable } from "@muster/framework-sdk";
import type { TaskGroup } from "@muster/jobspecs";
import type { Instance, JobEntry, Slot } from "./model.ts";
import { systemKey } from "./statuses.ts";

/**
 * The places of a group: so many as its count, or of a system job one per agent that it may run on. `instances` are all of
 * the group. O(instances + count).
 */
export function slotsOf(
  entry: JobEntry,
  group: TaskGroup,
  agents: ReadonlyMap<string, ClusterAgent>,
  instances: readonly Instance[],
): Slot[] {
  if (entry.isStopped || group.count === 0) return [];
  if (entry.current.job.type !== "system")
    return keptIndexes(group.count, instances).map((index) => ({ index, agentId: undefined }));
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
  const need = entry.current.needs.get(group.name) ?? { constraints: [] };
  for (const agent of agents.values()) if (isAmongAll(need, agent)) add(agent.agentId);
  // An agent that is away for a while keeps its instance.
  for (const { agentId } of instances) {
    const agent = agents.get(agentId);
    if (agent === undefined || !isUsable(agent)) add(agentId);
  }
  return [...wanted.values()];
}

/**
 * Which places stay when there are more instances than wanted: those that serve before those that start, out of reach and
 * failing ones last, of equals the first. What is free goes to the lowest numbers, so that they are used up again.
 */
function keptIndexes(count: number, instances: readonly Instance[]): number[] {
  const worth = new Map<number, number>();
  let isBeyond = false;
  for (const instance of instances) {
    if (instance.isKilling) continue;
    if (instance.index >= count) isBeyond = true;
    worth.set(instance.index, Math.max(worth.get(instance.index) ?? 0, worthOf(instance)));
  }
  if (!isBeyond) return Array.from({ length: count }, (_, index) => index);
  const best = [...worth].sort(([a, worthA], [b, worthB]) => worthB - worthA || a - b);
  const kept = new Set(best.slice(0, count).map(([index]) => index));
  for (let index = 0; kept.size < count; index++) kept.add(index);
  return [...kept].sort((a, b) => a - b);
}

function worthOf(instance: Instance): number {
  if (instance.healthySinceMs !== undefined) return 3;
  if (instance.unreachableSinceMs !== undefined) return 1;
  for (const { health } of instance.tasks.values()) if (health === Health.HEALTH_UNHEALTHY) return 0;
  return 2;
}

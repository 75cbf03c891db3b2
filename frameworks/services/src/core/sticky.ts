import { type ClusterAgent, isUsable } from "@muster/framework-sdk";
import type { TaskGroup } from "@muster/jobspecs";
import {
  groupOf,
  type Instance,
  type JobEntry,
  type Now,
  type Predecessor,
  type ServicesState,
  type Slot,
  slotKey,
} from "./model.ts";

/** For so long a place whose files lie on an agent waits for room there before another is taken. */
export const stickyPatienceMs = 5_000;

/** Whether instances take over the files of those before them. */
export function isSticky(group: Pick<TaskGroup, "disk">): boolean {
  return group.disk?.isSticky ?? false;
}

/** An instance has ended: whoever comes after it may have its files. */
export function notePredecessor(state: ServicesState, entry: JobEntry, instance: Instance): void {
  const { agentId, launchId, hasBegun, group, index } = instance;
  const wanted = groupOf(entry.current, group);
  if (!hasBegun || agentId === "" || launchId === "" || !wanted || !isSticky(wanted)) return;
  entry.predecessors.set(slotKey(group, index), { launchId, agentId });
  state.restartsChanged.add(entry.name);
}

/** Where the next instance of a place is to go on account of its files. */
export interface StickyWish {
  readonly slot: Slot;
  readonly predecessor: Predecessor | undefined;
  /** When any other agent will do too, as `monotonicMs`; undefined: at once. */
  readonly untilMs: number | undefined;
}

/** An agent that takes nothing is not waited for. */
export function stickyWish(
  entry: JobEntry,
  group: TaskGroup,
  slot: Slot,
  sinceMs: number,
  agents: ReadonlyMap<string, ClusterAgent>,
  now: Now,
): StickyWish {
  const predecessor = isSticky(group) ? entry.predecessors.get(slotKey(group.name, slot.index)) : undefined;
  const agent = predecessor && agents.get(predecessor.agentId);
  const untilMs = sinceMs + stickyPatienceMs;
  if (slot.agentId !== undefined || agent === undefined || !isUsable(agent) || now.monotonicMs >= untilMs)
    return { slot, predecessor, untilMs: undefined };
  return { slot: { ...slot, agentId: agent.agentId }, predecessor, untilMs };
}

/** Whether the one before is still about to end: its files are not to be had yet. O(instances). */
export function isLeavingFiles(entry: JobEntry, group: TaskGroup, index: number): boolean {
  if (!isSticky(group)) return false;
  for (const one of entry.instances.values())
    if (one.group === group.name && one.index === index && one.isKilling && one.unreachableSinceMs === undefined)
      return true;
  return false;
}

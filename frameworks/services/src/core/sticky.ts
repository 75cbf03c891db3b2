import { type ClusterAgent, isUsable } from "@muster/framework-sdk";
import type { TaskGroup } from "@muster/jobspecs";
import type { LaunchFiles } from "./build.ts";
import {
  type FoundPredecessor,
  groupOf,
  type Instance,
  type JobEntry,
  type Now,
  type ServicesState,
  type Slot,
  slotKey,
  type VersionRecord,
  versionOf,
} from "./model.ts";

/** For so long a place whose files lie on an agent waits for room there before another is taken. */
export const stickyPatienceMs = 5_000;

/** Whether instances take over the files of those before them. */
export function isSticky(group: Pick<TaskGroup, "disk">): boolean {
  return group.disk?.isSticky ?? false;
}

/** Characters of what agents are told to give files of a version's instances. */
export const filesTokenLength = 32;

/** Whether copies of their files go to other agents. */
export function isMigrating(group: Pick<TaskGroup, "disk">): boolean {
  return isSticky(group) && (group.disk?.isMigrating ?? false);
}

/** What a launch of a version says of its own files, and of those that it is to have. */
export function filesOf(
  { filesToken }: VersionRecord,
  group: TaskGroup,
  predecessor: FoundPredecessor | undefined,
  agentId: string,
): LaunchFiles {
  const own = isMigrating(group) && filesToken !== undefined ? { filesToken } : {};
  if (predecessor === undefined) return own;
  const { launchId: predecessorLaunchId } = predecessor;
  if (predecessor.agentId === agentId) return { ...own, predecessorLaunchId };
  if (!isMigrating(group)) return own;
  const { address: predecessorAddress, filesToken: predecessorToken } = predecessor;
  // Without both the agent finds nothing, and says so.
  if (predecessorAddress === undefined || predecessorToken === undefined) return { ...own, predecessorLaunchId };
  return { ...own, predecessorLaunchId, predecessorAddress, predecessorToken };
}

/** An instance has ended: whoever comes after it may have its files. */
export function notePredecessor(state: ServicesState, entry: JobEntry, instance: Instance): void {
  const { agentId, launchId, hasBegun, group, index } = instance;
  const wanted = groupOf(entry.current, group);
  if (!hasBegun || agentId === "" || launchId === "" || !wanted || !isSticky(wanted)) return;
  const filesToken = versionOf(entry, instance.version)?.record.filesToken;
  const predecessor = { launchId, agentId, ...(filesToken === undefined ? {} : { filesToken }) };
  entry.predecessors.set(slotKey(group, index), predecessor);
  state.restartsChanged.add(entry.name);
}

/** Where the next instance of a place is to go on account of its files. */
export interface StickyWish {
  readonly slot: Slot;
  readonly predecessor: FoundPredecessor | undefined;
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
  const kept = isSticky(group) ? entry.predecessors.get(slotKey(group.name, slot.index)) : undefined;
  const agent = kept && agents.get(kept.agentId);
  const predecessor = kept && { ...kept, address: agent?.address };
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

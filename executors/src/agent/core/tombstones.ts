import { removeGroup } from "./groups.ts";
import type { AgentState, Group } from "./model.ts";
import type { Context } from "./status.ts";

/** An ended launch is remembered for so long after its last acknowledgement, so that a late copy starts nothing. */
export const tombstoneMs = 60 * 60 * 1_000;
/** Ended and acknowledged groups that are remembered; the oldest go first. */
export const tombstonesMax = 1_000;

/**
 * Whether nothing of a group is open any more. Once nothing of it changes either it is none of the open groups, so that
 * what ended an hour ago costs nothing at each tick.
 */
export function isTombstone(state: AgentState, group: Group): boolean {
  const end = tombstoneEnd(group);
  if (end === undefined) return false;
  state.forgetFirstAt = Math.min(state.forgetFirstAt, end);
  if (group.net.name === "host" || group.net.name === "gone") {
    group.forgetAt = end;
    state.openGroups.delete(group);
  }
  return true;
}

/** When a group may be forgotten, in milliseconds since the epoch; undefined while something of it is open. O(tasks). */
function tombstoneEnd(group: Group): number | undefined {
  if (group.forgetAt !== undefined) return group.forgetAt;
  if (group.net.name === "removing") return undefined;
  let end = 0;
  for (const task of group.tasks) {
    if (task.phase !== "ended" || task.acknowledgedAt === undefined) return undefined;
    end = Math.max(end, task.acknowledgedAt + tombstoneMs);
  }
  return end;
}

/** Forgets those whose time has come, and the oldest of too many. O(1) if there are none of either, else O(groups). */
export function forgetTombstones({ state, now, effects }: Context): void {
  const hasTooMany = state.groups.size - state.openGroups.size > tombstonesMax;
  if (!hasTooMany && state.forgetFirstAt > now.epochMs) return;
  const found = [...state.groups.values()].flatMap((group) => {
    const end = tombstoneEnd(group);
    return end === undefined ? [] : [{ group, end }];
  });
  let tooMany = found.length - tombstonesMax;
  state.forgetFirstAt = Number.POSITIVE_INFINITY;
  for (const { group, end } of found)
    if (end <= now.epochMs || tooMany > 0) {
      tooMany--;
      removeGroup(state, group);
      effects.push({ type: "forget", group });
    } else state.forgetFirstAt = Math.min(state.forgetFirstAt, end);
}

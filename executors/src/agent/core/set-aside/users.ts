import type { AgentState, Group } from "../model.ts";

/** The group that uses a volume, or is about to, other than one. O(groups). */
export function userOf(state: AgentState, volumeId: string, but?: Group): Group | undefined {
  for (const group of state.groups.values())
    if (group !== but && group.volumes.some((volume) => volume.volumeId === volumeId) && isOpen(group)) return group;
  return undefined;
}

function isOpen(group: Group): boolean {
  return group.phase !== "refused" && group.tasks.some(({ phase }) => phase !== "ended");
}

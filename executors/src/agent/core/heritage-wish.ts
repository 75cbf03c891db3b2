import { TaskState } from "@muster/proto";
import type { FilesWish, FolderMove, NamedFolder } from "../../world/group-files.ts";
import { groupFolder, sharedFolder, taskFolders } from "../folders.ts";
import type { Group, PredecessorPlace } from "./model.ts";
import { pairKey } from "./model.ts";
import { type Context, report } from "./status.ts";

/** What a group may take over from another agent if it books no disk. */
export const unbookedDiskMiB = 300;

/** Whether a group has to wait for what its predecessor has left; the first time it is asked for. O(tasks of both). */
export function awaitsHeritage(context: Context, group: Group): boolean {
  if (group.heritage !== "wanted") return group.heritage === "moving";
  const { state } = context;
  if (group.predecessorPlace) {
    group.heritage = "moving";
    context.effects.push({ type: "fetch-files", key: group.key, wish: wishOf(context, group, group.predecessorPlace) });
    return true;
  }
  const key = state.launches.get(pairKey(group.frameworkId, group.predecessorLaunchId));
  const predecessor = key === undefined ? undefined : state.groups.get(key);
  if (predecessor === undefined)
    return settleHeritage(context, group, "nothing of its predecessor is left on this agent");
  if (predecessor.tasks.some(({ phase }) => phase !== "ended"))
    return settleHeritage(context, group, "its predecessor has not ended");
  group.heritage = "moving";
  context.effects.push({ type: "take-files", key: group.key, moves: movesBetween(context, predecessor, group) });
  return true;
}

/** Nothing more is waited for; what can't be had is told. */
export function settleHeritage(context: Context, group: Group, problem: string | undefined): false {
  group.heritage = "settled";
  if (problem === undefined) return false;
  const message = `begins with empty folders: ${problem}`;
  context.effects.push({ type: "log", level: "warn", fields: { launchId: group.launchId }, message });
  for (const task of group.tasks)
    if (task.phase === "preparing") report(context, task, TaskState.TASK_STARTING, { message });
  return false;
}

function wishOf({ state }: Context, group: Group, { address, token }: PredecessorPlace): FilesWish {
  const { dataFolder } = state.config;
  const diskMiB = group.tasks.reduce((sum, { info }) => sum + (info.resources?.diskMiB ?? 0), 0);
  const { frameworkId, predecessorLaunchId: launchId } = group;
  return {
    ...{ address, token, frameworkId, launchId },
    groupFolder: groupFolder(dataFolder, group.key),
    folders: foldersOf(dataFolder, group),
    bytesMax: (diskMiB || unbookedDiskMiB) * 1_048_576,
  };
}

/** What tasks of a group leave, and find: their local folders by the tasks' names, and what they share. */
export function foldersOf(dataFolder: string, { key, tasks }: Group): NamedFolder[] {
  const folders = tasks.map(({ id, info }) => ({ taskName: info.name, path: taskFolders(dataFolder, id).local }));
  return [{ taskName: "", path: sharedFolder(dataFolder, key) }, ...folders];
}

function movesBetween({ state }: Context, from: Group, to: Group): FolderMove[] {
  const { dataFolder } = state.config;
  const heirs = foldersOf(dataFolder, to);
  return foldersOf(dataFolder, from).flatMap(({ taskName, path }) => {
    const heir = heirs.find((one) => one.taskName === taskName);
    return heir ? [{ from: path, to: heir.path }] : [];
  });
}

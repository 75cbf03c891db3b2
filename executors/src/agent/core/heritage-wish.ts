import { TaskState } from "@muster/proto";
import type { FolderMove } from "../../world/group-files.ts";
import { taskFolders } from "../folders.ts";
import type { Group } from "./model.ts";
import { pairKey } from "./model.ts";
import { type Context, report } from "./status.ts";

/** Whether a group has to wait for what its predecessor has left; the first time it is asked for. O(tasks of both). */
export function awaitsHeritage(context: Context, group: Group): boolean {
  if (group.heritage !== "wanted") return group.heritage === "moving";
  const { state } = context;
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

function movesBetween({ state }: Context, from: Group, to: Group): FolderMove[] {
  const { dataFolder } = state.config;
  const foldersOf = (id: string) => taskFolders(dataFolder, id);
  const moves = from.tasks.flatMap(({ id, info: { name } }) => {
    const heir = to.tasks.find(({ info }) => info.name === name);
    return heir ? [{ from: foldersOf(id).local, to: foldersOf(heir.id).local }] : [];
  });
  const [first] = from.tasks;
  const [heir] = to.tasks;
  return first && heir ? [{ from: foldersOf(first.id).shared, to: foldersOf(heir.id).shared }, ...moves] : moves;
}

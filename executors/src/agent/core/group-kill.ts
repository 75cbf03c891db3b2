import { StatusReason } from "@muster/proto";
import { isServed } from "./executor-model.ts";
import { beginKill, type KillWish } from "./kill.ts";
import type { Group, Task } from "./model.ts";
import { hasUseForPoststop, isPoststop, isSidecar } from "./roles.ts";
import type { Context } from "./status.ts";

/** Which tasks end before which others: each of a stage is told to once those of the stages before it have ended. */
const stages: readonly ((task: Task) => boolean)[] = [
  ({ spec }) => spec.leader,
  (task) => !isSidecar(task) && !isPoststop(task),
  isSidecar,
];

/**
 * Ends a group: its leader first, sidecars last; what stands after the end then has its turn. Only the first stage that
 * is not over is told; `advance` asks again at each end. Who names a grace wants an end within that time: then all are
 * told at once, also what stands after the end. O(tasks of the group).
 */
export function killGroup(context: Context, group: Group, wishOf: (task: Task) => KillWish): void {
  const isInOrder =
    group.phase === "launched" &&
    !isServed(group) &&
    group.tasks.every((task) => wishOf(task).graceMsMax === undefined);
  if (!isInOrder) {
    for (const task of group.tasks) if (!isStillToCome(task, wishOf(task))) beginKill(context, task, wishOf(task));
    return;
  }
  for (const isOfStage of stages) {
    const living = group.tasks.filter((task) => task.phase !== "ended" && isOfStage(task));
    for (const task of living) beginKill(context, task, wishOf(task));
    if (living.some(isLiving)) return;
  }
}

function isLiving({ phase }: Task): boolean {
  return phase !== "ended";
}

/** What has its turn after the end is not ended by it, unless the agent itself has no time left. */
function isStillToCome(task: Task, { reason }: KillWish): boolean {
  const isWaiting = isPoststop(task) && task.phase === "preparing" && task.group.phase === "launched";
  return isWaiting && reason !== StatusReason.REASON_AGENT_SHUTDOWN && hasUseForPoststop(task.group);
}

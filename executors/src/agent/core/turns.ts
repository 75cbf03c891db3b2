import { StatusReason, TaskState } from "@muster/proto";
import { isServed } from "./executor-model.ts";
import { closeGroup } from "./group-end.ts";
import { killGroup } from "./group-kill.ts";
import { beginKill } from "./kill.ts";
import type { Group, Task } from "./model.ts";
import { hasUseForPoststop, isItsTurn, isPoststop, isSidecar, mainsAreOver } from "./roles.ts";
import { spawn } from "./spawn.ts";
import type { Context } from "./status.ts";

/**
 * Does what follows for a group from where its tasks are now, whatever led there: so it may be asked after each change,
 * and after a restart of the agent, when it is not known which of them was acted upon. O(tasks of the group).
 */
export function advance(context: Context, group: Group): void {
  if (group.phase !== "launched" && group.phase !== "images") return;
  const message = whyToEnd(group);
  if (message !== undefined) killGroup(context, group, () => wishOf(message));
  else if (mainsAreOver(group))
    for (const task of group.tasks) if (isSidecar(task)) beginKill(context, task, wishOf("its main tasks have ended"));
  if (group.phase === "launched") startWhoseTurnItIs(context, group, message === undefined);
  if (group.tasks.every((task) => task.phase === "ended")) closeGroup(context, group);
}

function wishOf(message: string): { readonly reason: StatusReason; readonly message: string } {
  return { reason: StatusReason.REASON_TASK_GROUP_ENDED, message };
}

/** A task that did not end well takes its group with it, and a leader does so however it ends. */
function whyToEnd({ tasks }: Group): string | undefined {
  const bad = tasks.find(didNotEndWell);
  if (bad) return `task ${bad.info.taskId} of its group ended`;
  const leader = tasks.find(({ spec, phase }) => spec.leader && phase === "ended");
  return leader && `its leader ${leader.info.taskId} has ended`;
}

/** What went with its group says nothing of it. */
function didNotEndWell({ phase, latest }: Task): boolean {
  if (phase !== "ended" || !latest || latest.state === TaskState.TASK_FINISHED) return false;
  return latest.state !== TaskState.TASK_KILLED || latest.reason !== StatusReason.REASON_TASK_GROUP_ENDED;
}

function startWhoseTurnItIs(context: Context, group: Group, goesOn: boolean): void {
  // What is given to an executor it starts itself.
  if (isServed(group)) return;
  for (const task of group.tasks) {
    if (task.phase !== "preparing") continue;
    if (isPoststop(task) && mainsAreOver(group) && !hasUseForPoststop(group))
      beginKill(context, task, wishOf("none of its main tasks has run, or there is no time left"));
    else if ((goesOn || isPoststop(task)) && isItsTurn(task)) spawn(context, task);
  }
}

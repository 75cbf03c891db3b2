import { StatusReason, TaskState } from "@muster/proto";
import { closeGroup } from "./group-end.ts";
import { beginKill } from "./kill.ts";
import type { Group } from "./model.ts";
import type { Context } from "./status.ts";

/**
 * Does what follows for a group from where its tasks are now, whatever led there: so it may be asked after each change,
 * and after a restart of the agent, when it is not known which of them was acted upon. O(tasks of the group).
 */
export function advance(context: Context, group: Group): void {
  if (group.phase !== "launched" && group.phase !== "images") return;
  endWithOthers(context, group);
  if (group.tasks.every((task) => task.phase === "ended")) closeGroup(context, group);
}

/** A task that did not end well takes its group with it. */
function endWithOthers(context: Context, group: Group): void {
  const bad = group.tasks.find(
    ({ phase, latest }) => phase === "ended" && latest && latest.state !== TaskState.TASK_FINISHED,
  );
  if (!bad) return;
  const message = `task ${bad.info.taskId} of its group ended`;
  for (const other of group.tasks) beginKill(context, other, { reason: StatusReason.REASON_TASK_GROUP_ENDED, message });
}

import { StatusReason, TaskState } from "@muster/proto";
import { procId } from "./attempts.ts";
import type { Task } from "./model.ts";
import { endTask } from "./process.ts";
import { type Context, report } from "./status.ts";
import { advance } from "./turns.ts";

function waitingTask({ state }: Context, id: string): Task | undefined {
  const task = state.tasks.get(id);
  return task?.artifacts === "fetching" && task.phase === "preparing" ? task : undefined;
}

/** What takes long: its framework is told for what the task waits. */
export function artifactsProgress(context: Context, id: string, message: string): void {
  const task = waitingTask(context, id);
  if (task) report(context, task, TaskState.TASK_STARTING, { message });
}

/** All are in the task's folders: it starts, if it is still to start. */
export function artifactsReady(context: Context, id: string, message: string): void {
  const task = waitingTask(context, id);
  if (!task) return;
  task.artifacts = "ready";
  report(context, task, TaskState.TASK_STARTING, { message });
  advance(context, task.group);
}

/** What can't be had ends the attempt; its restart policy says whether it is tried again. */
export function artifactsFailed(context: Context, id: string, message: string): void {
  const task = waitingTask(context, id);
  if (!task) return;
  task.artifacts = "none";
  endTask(context, procId(task), () => [
    TaskState.TASK_FAILED,
    { reason: StatusReason.REASON_ARTIFACT_FAILED, message },
  ]);
}

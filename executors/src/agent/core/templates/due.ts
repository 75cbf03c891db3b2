import { TaskState } from "@muster/proto";
import type { Task } from "../model.ts";
import { type Context, report } from "../status.ts";
import { carryOutChange, changeAtMs } from "./change.ts";
import { renderAll } from "./render.ts";

/** Does for a task's files what is due. O(1) unless something is. */
export function templatesDue(context: Context, task: Task): void {
  const { templates } = task;
  if (!templates) return;
  const { monotonicMs } = context.now;
  if (templates.tellAtMs !== undefined && monotonicMs >= templates.tellAtMs) {
    templates.tellAtMs = undefined;
    if (task.phase === "preparing")
      report(context, task, TaskState.TASK_STARTING, { message: `waits for ${templates.told}` });
  }
  if (templates.settle && monotonicMs >= templates.settle.dueMs) renderAll(context, task);
  if (templates.change) carryOutChange(context, task);
}

/** Monotonic; undefined: nothing is planned. */
export function nextOfTemplates(task: Task): number | undefined {
  const { templates } = task;
  if (!templates) return undefined;
  const times = [templates.tellAtMs, templates.settle?.dueMs, changeAtMs(task)].filter((time) => time !== undefined);
  return times.length > 0 ? Math.min(...times) : undefined;
}

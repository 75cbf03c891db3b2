import { type CallHandler, MusterError } from "@muster/foundation";
import type { TaskMeter } from "../world/task-files.ts";
import type { Task } from "./core/model.ts";

/** Tasks that are measured at one time. */
export const measuresMax = 32;

/** Tells what a task uses now. */
export function statsHandler(
  find: (frameworkId: string, taskId: string) => Task | MusterError,
  meter: TaskMeter | undefined,
): CallHandler<"Tasks.Stats"> {
  let count = 0;
  return (request, _peer, respond) => {
    const task = find(request.frameworkId, request.taskId);
    if (task instanceof MusterError || !meter) {
      const error = task instanceof MusterError ? task : new MusterError("unsupported", "this agent measures no tasks");
      respond({ ok: false, error });
      return undefined;
    }
    const { started } = task;
    const hasEnded = new MusterError("wrong-state", `task ${task.info.taskId} is not running`);
    if (task.phase !== "running" || !started) {
      respond({ ok: false, error: hasEnded });
      return undefined;
    }
    if (count >= measuresMax) {
      respond({
        ok: false,
        error: new MusterError("too-many", `${measuresMax} tasks are being measured, the maximum`),
      });
      return undefined;
    }
    count++;
    meter.measure({ id: task.id, pid: started.pid, shimPid: started.shimPid }, (use) => {
      count--;
      // A pid that is read after the task's end may be another's.
      if (!use || task.phase !== "running") respond({ ok: false, error: hasEnded });
      else respond({ ok: true, value: { ...use } });
    });
    return undefined;
  };
}

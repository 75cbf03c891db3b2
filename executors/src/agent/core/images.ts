import { StatusReason, TaskState } from "@muster/proto";
import { findDriver } from "../../drivers/drivers.ts";
import type { ImageReady } from "../../world/images.ts";
import { procId } from "./attempts.ts";
import type { Task } from "./model.ts";
import { endTask } from "./process.ts";
import { type Context, report } from "./status.ts";

/** A task waits for what takes long: its framework is told for what. */
export function imageProgress(context: Context, id: string, message: string): void {
  const task = context.state.tasks.get(id);
  if (task?.image.name === "preparing" && task.phase === "preparing")
    report(context, task, TaskState.TASK_STARTING, { message });
}

/** A task's image is there; gives the task if it waited for it. */
export function takeImage({ state }: Context, id: string, ready: ImageReady): Task | undefined {
  const task = state.tasks.get(id);
  const { image, phase } = task ?? {};
  if (!task || (image?.name !== "preparing" && image?.name !== "kept")) return undefined;
  task.image = { name: "ready", ready };
  return image.name === "preparing" && phase === "preparing" ? task : undefined;
}

/** An image that can't be had ends its task, and with it the group. */
export function imageFailed(context: Context, id: string, cause: string): void {
  const task = context.state.tasks.get(id);
  if (task?.image.name !== "preparing") return;
  const { driver, driverConfigJson } = task.spec;
  const message = `image ${findDriver(driver)?.imageName?.(driverConfigJson) ?? ""}: ${cause}`;
  endTask(context, procId(task), () => [TaskState.TASK_FAILED, { reason: StatusReason.REASON_LAUNCH_FAILED, message }]);
}

import { findDriver } from "../../drivers/drivers.ts";
import { findNetwork } from "../../networks/networks.ts";
import { isServed } from "./executor-model.ts";
import type { Task } from "./model.ts";
import type { Context } from "./status.ts";

/** Whether a task has to wait for an image; the first time it is asked for. */
export function awaitsImage(context: Context, task: Task): boolean {
  if (task.image.name === "ready") return false;
  if (task.image.name === "preparing") return true;
  // What a custom executor makes of its tasks is its own affair.
  if (isServed(task.group)) return false;
  const network = findNetwork(task.group.networkMode);
  const wish = network && findDriver(task.spec.driver)?.image?.(task, context.state.config, network);
  if (!wish) return false;
  task.image = { name: "preparing" };
  // Also where it is to be started again: that its time has come is settled.
  task.phase = "preparing";
  context.effects.push({ type: "prepare-image", wish });
  return true;
}

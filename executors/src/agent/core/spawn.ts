import { revocableCpuMillis } from "@muster/foundation";
import { StatusReason, TaskState } from "@muster/proto";
import { findDriver } from "../../drivers/drivers.ts";
import { findNetwork } from "../../networks/networks.ts";
import { awaitsArtifacts } from "./artifacts-wish.ts";
import { awaitsHeritage } from "./heritage-wish.ts";
import { awaitsImage } from "./image-wish.ts";
import type { Task } from "./model.ts";
import { type Context, report } from "./status.ts";
import { awaitsTemplates } from "./templates/begin.ts";

/** Starts a task; doing it again after a crash is harmless, since a shim starts only if it is the first. */
export function spawn(context: Context, task: Task): void {
  if (task.phase !== "preparing" && task.phase !== "restarting") return;
  if (awaitsHeritage(context, task.group)) return;
  if (awaitsImage(context, task) || awaitsArtifacts(context, task) || awaitsTemplates(context, task)) return;
  task.phase = "starting";
  const driver = findDriver(task.spec.driver);
  const network = findNetwork(task.group.networkMode);
  if (!driver || !network) {
    const message = `driver ${task.spec.driver} or network mode ${task.group.networkMode} is gone from this agent`;
    report(context, task, TaskState.TASK_FAILED, { reason: StatusReason.REASON_UNSUPPORTED, message });
    return;
  }
  const spec = driver.plan(task, context.state.config, network);
  const isLent = task.info.resources !== null && revocableCpuMillis(task.info.resources) > 0;
  context.effects.push({ type: "spawn", spec: isLent ? { ...spec, isLent } : spec });
}

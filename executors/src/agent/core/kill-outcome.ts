import { StatusReason } from "@muster/proto";

/** Why the agent ends a task by itself, as a failure of the task. */
const faults: ReadonlySet<StatusReason> = new Set([
  StatusReason.REASON_MAX_RUN_TIME,
  StatusReason.REASON_CHECKPOINT_DAMAGED,
  StatusReason.REASON_PORT_NOT_ALLOCATED,
  StatusReason.REASON_EXECUTOR_TIMEOUT,
  StatusReason.REASON_DISK_LIMIT,
  StatusReason.REASON_TEMPLATE_FAILED,
]);

/** Whether a task that was ended for this reason has failed. */
export function isFault(reason: StatusReason): boolean {
  return faults.has(reason);
}

import { LifecycleHook, StatusReason, TaskState } from "@muster/proto";
import type { Group, Task } from "./model.ts";

/** What the group is there for. */
export function isMain({ spec }: Task): boolean {
  return spec.hook === LifecycleHook.LIFECYCLE_HOOK_UNSPECIFIED;
}

export function isPoststop({ spec }: Task): boolean {
  return spec.hook === LifecycleHook.LIFECYCLE_HOOK_POSTSTOP;
}

/** It goes on beside the main tasks for as long as they do. */
export function isSidecar(task: Task): boolean {
  return task.spec.sidecar && !isMain(task) && !isPoststop(task);
}

/** Whether its program has run, now or before. */
export function hasRun(task: Task): boolean {
  return task.started !== undefined || task.attempt > 0;
}

export function hasEndedWell({ phase, latest }: Task): boolean {
  return phase === "ended" && latest?.state === TaskState.TASK_FINISHED;
}

/** Whether a task that waits for others may start now. Those for after the end are asked about by `mainsAreOver`. */
export function isItsTurn(task: Task): boolean {
  const { tasks } = task.group;
  switch (task.spec.hook) {
    case LifecycleHook.LIFECYCLE_HOOK_PRESTART:
      return true;
    case LifecycleHook.LIFECYCLE_HOOK_POSTSTART:
      return tasks.filter(isMain).every(hasRun);
    case LifecycleHook.LIFECYCLE_HOOK_POSTSTOP:
      return mainsAreOver(task.group) && hasUseForPoststop(task.group);
    default:
      return tasks
        .filter(({ spec }) => spec.hook === LifecycleHook.LIFECYCLE_HOOK_PRESTART)
        .every((one) => (isSidecar(one) ? hasRun(one) : hasEndedWell(one)));
  }
}

export function mainsAreOver({ tasks }: Group): boolean {
  return tasks.filter(isMain).every(({ phase }) => phase === "ended");
}

/** Ends that leave no time, or nothing to be trusted, for what is to come after them. */
const reasonsWithoutPoststop: ReadonlySet<StatusReason> = new Set([
  StatusReason.REASON_AGENT_SHUTDOWN,
  StatusReason.REASON_AGENT_REBOOTED,
  StatusReason.REASON_MAX_RUN_TIME,
  StatusReason.REASON_CHECKPOINT_DAMAGED,
]);

/**
 * Whether what stands after the end of the main tasks is to run when they have ended. If none has run there is nothing
 * to be put in order.
 */
export function hasUseForPoststop(group: Group): boolean {
  if (group.damaged || !group.tasks.some((task) => isMain(task) && hasRun(task))) return false;
  return !group.tasks.some(({ kill, latest }) =>
    reasonsWithoutPoststop.has((kill ?? latest)?.reason ?? StatusReason.STATUS_REASON_UNSPECIFIED),
  );
}

import { LifecycleHook, RestartMode, type TaskSpec } from "@muster/proto";

/** How a task lives among those of its group. */
export interface LifeSettings {
  /** Starts by its agent after it has ended, in the same folders, with the same ports and network. Absent: none. */
  readonly restart?: {
    /** Within an interval; 0: none. */
    readonly attempts: number;
    /** 0: the whole life of the task. */
    readonly intervalMs: number;
    readonly delayMs: number;
    /** When they are used up: "fail" ends it for good, "delay" waits for the next interval. */
    readonly mode: "fail" | "delay";
    /** Also after success. Default: false. */
    readonly afterSuccess?: boolean;
  };
  /** Absent: a main task. */
  readonly hook?: "prestart" | "poststart" | "poststop";
  /** It goes on beside the main tasks, and is ended after them. Default: false. */
  readonly sidecar?: boolean;
  /** When it has ended, the other tasks of its group are ended. Default: false. */
  readonly leader?: boolean;
  /** From its leaving discovery to the first signal. Default: 0. */
  readonly shutdownDelayMs?: number;
}

const hooks = {
  prestart: LifecycleHook.LIFECYCLE_HOOK_PRESTART,
  poststart: LifecycleHook.LIFECYCLE_HOOK_POSTSTART,
  poststop: LifecycleHook.LIFECYCLE_HOOK_POSTSTOP,
} as const;

/** The part of a task's description that says how it lives. */
export function taskLife({
  restart,
  hook,
  sidecar = false,
  leader = false,
  shutdownDelayMs = 0,
}: LifeSettings = {}): Pick<TaskSpec, "restartPolicy" | "hook" | "sidecar" | "leader" | "shutdownDelayMs"> {
  return {
    restartPolicy: restart
      ? {
          attempts: restart.attempts,
          intervalMs: restart.intervalMs,
          delayMs: restart.delayMs,
          mode: restart.mode === "delay" ? RestartMode.RESTART_MODE_DELAY : RestartMode.RESTART_MODE_FAIL,
          afterSuccess: restart.afterSuccess ?? false,
        }
      : null,
    hook: hook ? hooks[hook] : LifecycleHook.LIFECYCLE_HOOK_UNSPECIFIED,
    sidecar,
    leader,
    shutdownDelayMs,
  };
}

import type { JobType, LifecycleHook, RestartPolicy, Task, TaskGroup } from "./types.ts";

/** How a task of a job lives, in the form that a framework's author gives it in. */
export interface TaskLife {
  readonly restart?: {
    readonly attempts: number;
    readonly intervalMs: number;
    readonly delayMs: number;
    readonly mode: "fail" | "delay";
    readonly afterSuccess: boolean;
  };
  readonly hook?: LifecycleHook;
  readonly sidecar: boolean;
  readonly leader: boolean;
  readonly shutdownDelayMs: number;
}

/**
 * Whether a task is started again by its agent, in its place. That is what a written `restart` block means; without one
 * its framework starts a new instance. Only written blocks have both attempts and an interval.
 */
export function restartsInPlace(policy: RestartPolicy): boolean {
  return policy.attempts !== undefined && policy.intervalMs !== undefined;
}

/** A task's own block holds, else its group's. */
export function restartOf(group: TaskGroup, task: Task): RestartPolicy {
  return task.restart ?? group.restart;
}

/** Whether a task of a group comes to an end while the group goes on: what stands before, after the start, or after the end. */
export function isPassing({ lifecycle }: Task): boolean {
  return lifecycle !== undefined && !lifecycle.sidecar;
}

/** The tasks of services and system jobs are to run without end: success is no reason to stop there. */
export function taskLifeOf(type: JobType, group: TaskGroup, task: Task): TaskLife {
  const policy = restartOf(group, task);
  const { attempts, intervalMs, firstDelayMs: delayMs, mode } = policy;
  const afterSuccess = (type === "service" || type === "system") && !isPassing(task);
  return {
    ...(attempts !== undefined && intervalMs !== undefined
      ? { restart: { attempts, intervalMs, delayMs, mode, afterSuccess } }
      : {}),
    ...(task.lifecycle ? { hook: task.lifecycle.hook } : {}),
    sidecar: task.lifecycle?.sidecar ?? false,
    leader: task.leader,
    // Of a group as a whole first its names go, then, with a delay of their own, those of its tasks.
    shutdownDelayMs: group.shutdownDelayMs + task.shutdownDelayMs,
  };
}

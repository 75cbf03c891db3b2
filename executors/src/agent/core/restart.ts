import { Health, RestartMode, type RestartPolicy, StatusReason, TaskState } from "@muster/proto";
import { firstChecks } from "./first-checks.ts";
import type { Task } from "./model.ts";
import { type Context, type News, report } from "./status.ts";

/** Restarts that count: how many there were since the interval began, in milliseconds since the epoch. */
export interface RestartWindow {
  readonly beganAt: number;
  readonly count: number;
}

/** Ends of a command, of what watches over it, or of what is fetched for it. What comes from outside, or would fail again at once, is not among them. */
const restartableReasons: ReadonlySet<StatusReason> = new Set([
  StatusReason.REASON_COMMAND_EXITED,
  StatusReason.REASON_OUT_OF_MEMORY,
  StatusReason.REASON_LIMIT_EXCEEDED,
  StatusReason.REASON_SUPERVISOR_LOST,
  StatusReason.REASON_UNHEALTHY,
  StatusReason.REASON_ARTIFACT_FAILED,
]);

/**
 * Instead of ending a task plans its next start, if its policy has one left; else says in the news that it has not.
 * The next attempt begins at its time, and not before the plan is durable: what has no record must not run.
 */
export function startAgain(context: Context, task: Task, taskState: TaskState, news: News): boolean | News {
  const { now } = context;
  const isForFiles = isWantedAnew(task);
  const policy = task.spec.restartPolicy;
  if (!isForFiles && (!policy || !isRestartable(task, policy, taskState, news))) return false;
  const plan =
    isForFiles || !policy
      ? { delayMs: 0, window: task.restartWindow }
      : planRestart(policy, task.restartWindow, now.epochMs);
  if (!plan) return { ...news, message: `${news.message || "success"}; ${policy ? usedUpText(policy) : ""}` };
  task.attempt++;
  task.phase = "restarting";
  task.restartWindow = plan.window;
  task.nextTry = { atMs: now.monotonicMs + plan.delayMs, at: now.epochMs + plan.delayMs };
  task.started = undefined;
  task.kill = undefined;
  task.memoryKills = 0;
  task.health = Health.HEALTH_UNSPECIFIED;
  task.checks = firstChecks(task.spec);
  task.killAsked = undefined;
  const message = `${news.message || "success"}; restart ${task.attempt}`;
  report(context, task, TaskState.TASK_STARTING, { ...news, reason: StatusReason.REASON_RESTARTING, message });
  return true;
}

/** Whether the time of a task's next start has come, and its plan is durable. */
export function isRestartDue(task: Task, monotonicMs: number): boolean {
  const atMs = restartAtMs(task);
  return atMs !== undefined && monotonicMs >= atMs;
}

/** Monotonic; undefined: nothing is planned, or the plan is not durable yet. */
export function restartAtMs(task: Task): number | undefined {
  if (task.phase !== "restarting" || task.durable !== task.latest) return undefined;
  return task.nextTry?.atMs;
}

/** The longest wait that a policy can lead to: a clock that was set back must not make it longer. */
export function restartDelayMsMax({ delayMs, intervalMs }: RestartPolicy): number {
  return Math.max(delayMs, intervalMs);
}

/** It was ended to begin with new files: that is no failure, and counts for none. */
function isWantedAnew({ kill, group }: Task): boolean {
  return kill?.reason === StatusReason.REASON_TEMPLATE_CHANGED && !group.damaged && !group.tasks.some(endsForGood);
}

/** It is being ended, and not to be started again. */
function endsForGood({ kill }: Task): boolean {
  if (!kill) return false;
  return kill.reason !== StatusReason.REASON_UNHEALTHY && kill.reason !== StatusReason.REASON_TEMPLATE_CHANGED;
}

function isRestartable(task: Task, policy: RestartPolicy, taskState: TaskState, news: News): boolean {
  // An executor is started by its framework alone, and what is given to it is its own affair.
  if (policy.attempts === 0 || task.group.damaged || task.group.executor) return false;
  if (!restartableReasons.has(news.reason ?? StatusReason.STATUS_REASON_UNSPECIFIED)) return false;
  if (taskState === TaskState.TASK_FINISHED && !policy.afterSuccess) return false;
  // A group that is on its way to its end has no use for another attempt.
  return !task.group.tasks.some(endsForGood);
}

/** When the next start is, and what counts then; undefined: there is none. Pure. */
export function planRestart(
  policy: RestartPolicy,
  window: RestartWindow | undefined,
  nowMs: number,
): { readonly delayMs: number; readonly window: RestartWindow } | undefined {
  const { attempts, intervalMs, delayMs, mode } = policy;
  // An interval of 0 is the whole life of the task.
  const isOver = window && intervalMs > 0 && (nowMs - window.beganAt >= intervalMs || nowMs < window.beganAt);
  const { beganAt, count } = window && !isOver ? window : { beganAt: nowMs, count: 0 };
  if (count < attempts) return { delayMs, window: { beganAt, count: count + 1 } };
  if (mode !== RestartMode.RESTART_MODE_DELAY || intervalMs === 0) return undefined;
  const waitMs = Math.max(delayMs, beganAt + intervalMs - nowMs);
  return { delayMs: waitMs, window: { beganAt: nowMs + waitMs, count: 1 } };
}

function usedUpText({ attempts, intervalMs }: RestartPolicy): string {
  const restarts = attempts === 1 ? "its only restart" : `its ${attempts} restarts`;
  return `${restarts}${intervalMs > 0 ? ` within ${intervalMs / 1_000} s` : ""} used up`;
}

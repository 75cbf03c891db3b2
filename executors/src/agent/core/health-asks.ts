import { CheckAction, StatusReason } from "@muster/proto";
import { beginKill } from "./kill.ts";
import type { Task } from "./model.ts";
import type { Context } from "./status.ts";

/** While a framework's word is awaited it is asked again so often: one that began anew has not heard of it. */
const askAgainMs = 30_000;
/** A framework that says nothing for so long, or for so many intervals of the check, is not waited for any longer. */
const silentMsMax = 5 * 60_000;
const silentIntervalsMax = 10;

/** Whether a check's failures are told to the framework, which then says when the task ends. */
export function asksFirst(task: Task, index: number): boolean {
  return !task.kill && task.spec.healthChecks[index]?.action === CheckAction.CHECK_ACTION_ASK;
}

/** Notes whether the framework is asked for a task's end. True: that, or that it still is, is to be told. */
export function wasAsked({ now: { monotonicMs } }: Context, task: Task, isAsking: boolean): boolean {
  const { killAsked } = task;
  if (!isAsking) {
    task.killAsked = undefined;
    return killAsked !== undefined;
  }
  if (killAsked && monotonicMs - killAsked.saidMs < askAgainMs) return false;
  task.killAsked = { sinceMs: killAsked?.sinceMs ?? monotonicMs, saidMs: monotonicMs };
  return true;
}

/** Whether there is still time for the framework's word. */
export function isAwaited({ now }: Context, { killAsked }: Task, intervalMs: number): boolean {
  const patienceMs = Math.max(silentMsMax, silentIntervalsMax * intervalMs);
  return killAsked === undefined || now.monotonicMs - killAsked.sinceMs < patienceMs;
}

/** The framework has said so. What has recovered meanwhile is left alone. */
export function killAsAsked(context: Context, task: Task): void {
  if (task.phase !== "running" || task.kill || !task.killAsked) return;
  beginKill(context, task, { reason: StatusReason.REASON_UNHEALTHY, message: task.latest?.message ?? "" });
}

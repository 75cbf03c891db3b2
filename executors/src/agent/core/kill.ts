import { StatusReason, TaskState } from "@muster/proto";
import { procId } from "./attempts.ts";
import { endTaskBoundMs } from "./executor-model.ts";
import { orderKill, orderShutdown, settleIdle } from "./executor-tasks.ts";
import { closeGroup, giveBack } from "./group-end.ts";
import { isFault } from "./kill-outcome.ts";
import type { Task } from "./model.ts";
import { type Context, report } from "./status.ts";

export const graceMsDefault = 5_000;

export interface KillWish {
  readonly reason: StatusReason;
  readonly message: string;
  /** Replaces the task's own grace if it is shorter. */
  readonly graceMsMax?: number | undefined;
}

/** Ends one task. A second wish can only shorten the grace of the first. */
export function beginKill(context: Context, task: Task, wish: KillWish): void {
  if (task.phase === "ended") return;
  if (task.phase === "preparing" || (task.phase === "starting" && task.served?.isGiven === false)) {
    endBeforeStart(context, task, wish);
    return;
  }
  if (task.phase === "restarting") {
    const state = isFault(wish.reason) ? TaskState.TASK_FAILED : TaskState.TASK_KILLED;
    report(context, task, state, { reason: wish.reason, message: wish.message });
    if (task.group.tasks.every((other) => other.phase === "ended")) closeGroup(context, task.group);
    return;
  }
  const own = task.spec.killPolicy?.graceMs ?? graceMsDefault;
  const graceMs = wish.graceMsMax === undefined ? own : Math.min(own, wish.graceMsMax);
  const delayMs = shutdownDelayMs(task, wish, graceMs);
  if (task.kill) {
    // What was to begin anew is to end instead.
    if (task.kill.reason === StatusReason.REASON_TEMPLATE_CHANGED && wish.reason !== task.kill.reason) {
      task.kill.reason = wish.reason;
      task.kill.message = wish.message;
    }
    shorten(context, task, graceMs, delayMs);
    return;
  }
  const { reason, message } = wish;
  task.kill = { reason, message, delayMs, signal: undefined, deadlineMs: undefined, graceMs, forced: false };
  if (task.phase === "running" || task.served) carryOutKill(context, task);
  else context.effects.push({ type: "persist-state", id: task.id, purpose: undefined });
}

/** What is told of the end of a task that never started; of others it matters more that it did not. */
const ownReasons: ReadonlySet<StatusReason> = new Set([
  StatusReason.REASON_AGENT_SHUTDOWN,
  StatusReason.REASON_TASK_GROUP_ENDED,
  StatusReason.REASON_PREEMPTED,
]);

function endBeforeStart(context: Context, task: Task, wish: KillWish): void {
  const { group } = task;
  // While the kernel is asked about ports nothing is on the disk yet, and nothing needs to be.
  if (group.phase === "ports") {
    group.phase = "refused";
    giveBack(context, group);
  }
  const reason = ownReasons.has(wish.reason) ? wish.reason : StatusReason.REASON_KILLED_DURING_LAUNCH;
  report(context, task, TaskState.TASK_KILLED, { reason, message: wish.message });
  if (group.tasks.every((other) => other.phase === "ended")) closeGroup(context, group);
  if (task.served) settleIdle(context, task.served.self);
}

/** How long a task stays without signal once it is told to be ending: it leaves discovery meanwhile. */
function shutdownDelayMs({ spec, latest, served }: Task, { reason, graceMsMax }: KillWish, graceMs: number): number {
  // What was not told to be running, or is unhealthy, is in nobody's way; what an executor has is its affair.
  if (served || latest?.state !== TaskState.TASK_RUNNING || reason === StatusReason.REASON_UNHEALTHY) return 0;
  return graceMsMax === undefined ? spec.shutdownDelayMs : Math.min(spec.shutdownDelayMs, graceMsMax - graceMs);
}

/** Tells that a task is being ended; when its delay is over sends the first signal, and sets the time of the last one. */
export function carryOutKill(context: Context, task: Task): void {
  const { kill } = task;
  if (!kill || kill.deadlineMs !== undefined) return;
  const { now } = context;
  if (!kill.signal) {
    kill.signal = { atMs: now.monotonicMs + kill.delayMs, at: now.epochMs + kill.delayMs };
    report(context, task, TaskState.TASK_KILLING, { reason: kill.reason, message: kill.message });
  }
  if (now.monotonicMs < kill.signal.atMs) return;
  kill.deadlineMs = now.monotonicMs + kill.graceMs;
  if (task.served) orderKill(context, task);
  else if (kill.graceMs > 0 && !orderShutdown(context, task))
    context.effects.push({ type: "signal", id: procId(task), signal: task.spec.killPolicy?.signal || "SIGTERM" });
  forceKill(context, task);
}

/** When the first signal to a task is due; undefined: it is not to be killed, or was sent. */
export function signalAtMs({ kill, phase }: Task): number | undefined {
  return phase === "running" && kill?.deadlineMs === undefined ? kill?.signal?.atMs : undefined;
}

/** When a task that is being killed is not waited for any longer; undefined: it is not, or that was. */
export function forceAtMs({ kill, phase, served }: Task): number | undefined {
  if (kill?.deadlineMs === undefined || kill.forced) return undefined;
  if (served) return phase === "ended" ? undefined : kill.deadlineMs + endTaskBoundMs;
  return phase === "running" ? kill.deadlineMs : undefined;
}

/**
 * SIGKILL for the task and all that it has brought forth, if its grace is over. A task of an executor is that one's to
 * end: if it does not, its end is that of the executor.
 */
export function forceKill(context: Context, task: Task): void {
  const { kill, served } = task;
  const atMs = forceAtMs(task);
  if (!kill || atMs === undefined || context.now.monotonicMs < atMs) return;
  kill.forced = true;
  if (!served) {
    context.effects.push({ type: "kill", id: procId(task) });
    return;
  }
  const message = `it did not end task ${task.info.taskId} within ${kill.graceMs + endTaskBoundMs} ms`;
  beginKill(context, served.self, { reason: StatusReason.REASON_EXECUTOR_TIMEOUT, message, graceMsMax: 0 });
}

function shorten(context: Context, task: Task, graceMs: number, delayMs: number): void {
  const { kill } = task;
  if (!kill) return;
  kill.graceMs = Math.min(kill.graceMs, graceMs);
  kill.delayMs = Math.min(kill.delayMs, delayMs);
  if (kill.deadlineMs === undefined) {
    hasten(context, task);
    return;
  }
  const deadlineMs = context.now.monotonicMs + graceMs;
  if (task.served && deadlineMs < kill.deadlineMs) orderKill(context, task);
  kill.deadlineMs = Math.min(kill.deadlineMs, deadlineMs);
  forceKill(context, task);
}

/** A delay under way ends earlier if it is to be shorter. */
function hasten(context: Context, task: Task): void {
  const { kill } = task;
  if (!kill?.signal) return;
  const { now } = context;
  const atMs = Math.min(kill.signal.atMs, now.monotonicMs + kill.delayMs);
  kill.signal = { atMs, at: now.epochMs + atMs - now.monotonicMs };
  carryOutKill(context, task);
}

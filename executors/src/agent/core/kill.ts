import { StatusReason, TaskState } from "@muster/proto";
import { procId } from "./attempts.ts";
import { endTaskBoundMs } from "./executor-model.ts";
import { orderKill, orderShutdown, settleIdle } from "./executor-tasks.ts";
import { closeGroup, giveBack } from "./group-end.ts";
import { isFault } from "./kill-outcome.ts";
import type { Task } from "./model.ts";
import { pairKey } from "./model.ts";
import { type Context, report } from "./status.ts";

export const graceMsDefault = 5_000;
/** A kill of a task that nobody knows is remembered for so long. */
export const killAheadMs = 60_000;
export const killsAheadMax = 1_024;

export interface KillWish {
  readonly reason: StatusReason;
  readonly message: string;
  /** Replaces the task's own grace if it is shorter. */
  readonly graceMsMax?: number | undefined;
}

/** Ends a task and its group, or remembers to when it should come after all. */
export function killNamed(
  context: Context,
  frameworkId: string,
  taskId: string,
  graceMs: number | undefined,
  reason: StatusReason,
): void {
  const { state, now } = context;
  const name = pairKey(frameworkId, taskId);
  const named = state.named.get(name);
  const wish: KillWish = {
    reason: reason === StatusReason.STATUS_REASON_UNSPECIFIED ? StatusReason.REASON_KILLED_BY_FRAMEWORK : reason,
    message: "",
    graceMsMax: graceMs,
  };
  if (!named) {
    if (state.killsAhead.size >= killsAheadMax) dropOldest(state.killsAhead);
    state.killsAhead.set(name, { untilMs: now.monotonicMs + killAheadMs, reason: wish.reason });
    return;
  }
  const living = named.find((task) => task.phase !== "ended");
  for (const task of living?.group.tasks ?? [])
    beginKill(context, task, task === living ? wish : { ...wish, message: `its group is ended with ${taskId}` });
}

function dropOldest(map: Map<string, unknown>): void {
  for (const key of map.keys()) {
    map.delete(key);
    return;
  }
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
  if (task.kill) {
    shorten(context, task, graceMs);
    return;
  }
  task.kill = { reason: wish.reason, message: wish.message, deadlineMs: undefined, graceMs, forced: false };
  if (task.phase === "running" || task.served) carryOutKill(context, task);
  else context.effects.push({ type: "persist-state", id: task.id, purpose: undefined });
}

function endBeforeStart(context: Context, task: Task, wish: KillWish): void {
  const { group } = task;
  // While the kernel is asked about ports nothing is on the disk yet, and nothing needs to be.
  if (group.phase === "ports") {
    group.phase = "refused";
    giveBack(context, group);
  }
  const isShutdown = wish.reason === StatusReason.REASON_AGENT_SHUTDOWN;
  const reason = isShutdown ? wish.reason : StatusReason.REASON_KILLED_DURING_LAUNCH;
  report(context, task, TaskState.TASK_KILLED, { reason, message: wish.message });
  if (group.tasks.every((other) => other.phase === "ended")) closeGroup(context, group);
  if (task.served) settleIdle(context, task.served.self);
}

/** Sends the first signal, and sets the time of the last one. */
export function carryOutKill(context: Context, task: Task): void {
  const { kill } = task;
  if (!kill || kill.deadlineMs !== undefined) return;
  kill.deadlineMs = context.now.monotonicMs + kill.graceMs;
  report(context, task, TaskState.TASK_KILLING, { reason: kill.reason, message: kill.message });
  if (task.served) orderKill(context, task);
  else if (kill.graceMs > 0 && !orderShutdown(context, task))
    context.effects.push({ type: "signal", id: procId(task), signal: task.spec.killPolicy?.signal || "SIGTERM" });
  forceKill(context, task);
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

function shorten(context: Context, task: Task, graceMs: number): void {
  const { kill } = task;
  if (!kill) return;
  kill.graceMs = Math.min(kill.graceMs, graceMs);
  if (kill.deadlineMs === undefined) return;
  const deadlineMs = context.now.monotonicMs + graceMs;
  if (task.served && deadlineMs < kill.deadlineMs) orderKill(context, task);
  kill.deadlineMs = Math.min(kill.deadlineMs, deadlineMs);
  forceKill(context, task);
}

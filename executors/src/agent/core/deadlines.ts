import { StatusReason } from "@muster/proto";
import { awayEndMs, endAway } from "./away.ts";
import { measureDisks, nextDiskLookMs } from "./disk-watch.ts";
import { hasRoom, runDueChecks } from "./due-checks.ts";
import { executorDue, nextOfExecutor } from "./executor-end.ts";
import { forgetKills } from "./health-kills.ts";
import { beginKill, carryOutKill, forceAtMs, forceKill, signalAtMs } from "./kill.ts";
import { measureProcessor, nextLendingMs } from "./lending.ts";
import type { AgentState, Now, Task } from "./model.ts";
import { findListeners, nextListeningMs } from "./port-watch.ts";
import { isRestartDue, restartAtMs } from "./restart.ts";
import { spawn } from "./spawn.ts";
import { type Context, resendHead } from "./status.ts";
import { nextOfTemplates, templatesDue } from "./templates/due.ts";
import { forgetTombstones, isTombstone } from "./tombstones.ts";
import { advance } from "./turns.ts";

/** Does everything whose time has come. O(open groups and their tasks). */
export function wake(context: Context): void {
  const { state, now } = context;
  forgetKills(state.healthKills, now.monotonicMs);
  for (const group of state.openGroups) {
    if (isTombstone(state, group)) continue;
    for (const task of group.tasks) {
      resendHead(context, task);
      if (task.phase === "ended") continue;
      if ((signalAtMs(task) ?? Number.POSITIVE_INFINITY) <= now.monotonicMs) carryOutKill(context, task);
      forceKill(context, task);
      if (task.executor) executorDue(context, task);
      if (task.endsAt !== undefined && now.epochMs >= task.endsAt && !task.kill) {
        // The bound is the end: a grace would be beyond it.
        const reason = StatusReason.REASON_MAX_RUN_TIME;
        beginKill(context, task, { reason, message: "it ran for its maximum time", graceMsMax: 0 });
        advance(context, group);
      }
      templatesDue(context, task);
      if (isRestartDue(task, now.monotonicMs)) spawn(context, task);
    }
    if (state.awaySinceMs !== undefined) endAway(context, group);
  }
  runDueChecks(context);
  findListeners(context);
  measureDisks(context);
  measureProcessor(context);
  forgetTombstones(context);
}

/** The monotonic time of the next thing to do; undefined: nothing is planned. O(open groups and their tasks), called once a tick. */
export function nextWakeMs(state: AgentState, now: Now): number | undefined {
  let next = Math.min(nextListeningMs(state), nextDiskLookMs(state), nextLendingMs(state));
  for (const group of state.openGroups) {
    if (isTombstone(state, group)) continue;
    for (const task of group.tasks) next = Math.min(next, nextOfTask(state, task, now));
  }
  next = Math.min(next, now.monotonicMs + state.forgetFirstAt - now.epochMs);
  return next === Number.POSITIVE_INFINITY ? undefined : next;
}

function nextOfTask(state: AgentState, task: Task, now: Now): number {
  let next = Number.POSITIVE_INFINITY;
  const resendAt = task.queue[0]?.resendAtMs;
  if (state.registered && resendAt !== undefined) next = resendAt;
  if (task.phase === "ended") return next;
  if (task.endsAt !== undefined && !task.kill) next = Math.min(next, now.monotonicMs + task.endsAt - now.epochMs);
  if (task.executor) next = Math.min(next, nextOfExecutor(task));
  next = Math.min(next, awayEndMs(state, task) ?? next, nextOfTemplates(task) ?? next);
  next = Math.min(next, forceAtMs(task) ?? next, signalAtMs(task) ?? next, restartAtMs(task) ?? next);
  if (task.phase !== "running") return next;
  for (const [index, { nextAtMs = next }] of task.checks.entries())
    if (nextAtMs < next && hasRoom(state, task, index)) next = nextAtMs;
  return next;
}

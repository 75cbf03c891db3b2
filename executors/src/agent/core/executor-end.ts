import { StatusReason, TaskState } from "@muster/proto";
import { reattachTimeoutMs } from "./executor-model.ts";
import { livingServed, settleIdle } from "./executor-tasks.ts";
import { closeGroup } from "./group-end.ts";
import { beginKill } from "./kill.ts";
import { isFault } from "./kill-outcome.ts";
import type { Task } from "./model.ts";
import { type Context, type News, report } from "./status.ts";

/** Ends of an executor that say as much of its tasks as of itself. */
const inheritedReasons: ReadonlySet<StatusReason> = new Set([
  StatusReason.REASON_EXECUTOR_TIMEOUT,
  StatusReason.REASON_AGENT_REBOOTED,
]);

/** The executor's program runs, anew or still: it has to attach. */
export function awaitAttachment(context: Context, self: Task, isAdopted: boolean): void {
  const life = self.executor;
  if (!life) return;
  const registrationMs = self.group.executor?.registrationTimeoutMs ?? 0;
  if (life.session === undefined)
    life.attachByMs = context.now.monotonicMs + (isAdopted && life.hasAttached ? reattachTimeoutMs : registrationMs);
  settleIdle(context, self);
}

/** Does what is due for an executor. */
export function executorDue(context: Context, self: Task): void {
  const life = self.executor;
  if (!life || self.kill || self.phase === "ended") return;
  const nowMs = context.now.monotonicMs;
  if (life.attachByMs !== undefined && nowMs >= life.attachByMs) {
    const message = life.hasAttached
      ? `it did not attach again within ${reattachTimeoutMs} ms`
      : `it did not attach within ${self.group.executor?.registrationTimeoutMs} ms of its start`;
    beginKill(context, self, { reason: StatusReason.REASON_EXECUTOR_TIMEOUT, message, graceMsMax: 0 });
  } else if (life.idleAtMs !== undefined && nowMs >= life.idleAtMs) {
    const message = `it had no task for ${self.group.executor?.idleTimeoutMs} ms`;
    beginKill(context, self, { reason: StatusReason.REASON_EXECUTOR_IDLE, message });
  }
}

/** When something is due for an executor. */
export function nextOfExecutor({ executor, kill, phase }: Task): number {
  if (!executor || kill || phase === "ended") return Number.POSITIVE_INFINITY;
  return Math.min(executor.attachByMs ?? Number.POSITIVE_INFINITY, executor.idleAtMs ?? Number.POSITIVE_INFINITY);
}

/** The executor has ended and nothing of it is alive: so have its tasks. */
export function endServed(context: Context, self: Task): void {
  const life = self.executor;
  if (!life) return;
  if (life.session !== undefined) {
    const refusal = { kind: "wrong-state", field: "", message: "the executor has ended" } as const;
    context.effects.push({ type: "executor-end", session: life.session, refusal });
    context.state.attached.delete(life.session);
    life.session = undefined;
  }
  life.attachByMs = undefined;
  life.idleAtMs = undefined;
  const groups = [...life.groups];
  // While the kernel is asked about ports nothing is on the disk yet, and nothing needs to be.
  for (const group of groups) if (group.phase === "ports") group.phase = "refused";
  for (const task of livingServed(self)) report(context, task, ...outcome(task, self));
  for (const group of groups) closeGroup(context, group);
  life.groups.clear();
}

/** The executor of these tasks was gone when the agent came back. */
export function endOrphans(context: Context, tasks: readonly Task[], executorId: string): void {
  const message = `executor ${executorId} ended while the agent was away`;
  for (const task of tasks)
    report(context, task, TaskState.TASK_FAILED, { reason: StatusReason.REASON_EXECUTOR_TERMINATED, message });
  const group = tasks[0]?.group;
  if (group) closeGroup(context, group);
}

function outcome(task: Task, self: Task): [TaskState, News] {
  const { kill } = task;
  if (kill) {
    const state = isFault(kill.reason) ? TaskState.TASK_FAILED : TaskState.TASK_KILLED;
    return [state, { reason: kill.reason, message: kill.message }];
  }
  const name = `executor ${self.group.executor?.id}`;
  if (self.kill && !isFault(self.kill.reason))
    return [TaskState.TASK_KILLED, { reason: self.kill.reason, message: `${name} was shut down` }];
  const told = self.latest?.reason ?? StatusReason.STATUS_REASON_UNSPECIFIED;
  const reason = inheritedReasons.has(told) ? told : StatusReason.REASON_EXECUTOR_TERMINATED;
  return [TaskState.TASK_FAILED, { reason, message: `${name}: ${self.latest?.message || "it ended"}` }];
}

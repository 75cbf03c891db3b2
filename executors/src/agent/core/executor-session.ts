import { StatusReason, TaskState } from "@muster/proto";
import { type Attachment, type ExecutorRefusal, reattachTimeoutMs } from "./executor-model.ts";
import { takeExecutorStatus } from "./executor-status.ts";
import { executorsOf, giveGroup, livingServed, orderKill, orderShutdown, settleIdle } from "./executor-tasks.ts";
import { carryOutKill } from "./kill.ts";
import type { Group, Task } from "./model.ts";
import { endTask } from "./process.ts";
import type { Context } from "./status.ts";

/** An executor opens its session: it hears what it has missed, and the agent what has become of its tasks. */
export function attached(context: Context, session: number, attachment: Attachment): void {
  const self = selfOf(context, attachment);
  if (!("executor" in self) || !self.executor) {
    context.effects.push({ type: "executor-end", session, refusal: self as ExecutorRefusal });
    return;
  }
  takeSession(context, self, session);
  context.effects.push({ type: "executor-send", session, order: { type: "attached" } });
  for (const status of attachment.unacknowledged) takeExecutorStatus(context, self, session, status);
  const known = new Set(attachment.taskIds);
  for (const { taskId } of attachment.unacknowledged) known.add(taskId);
  const living = new Set(livingServed(self).map(({ info }) => info.taskId));
  for (const group of [...self.executor.groups]) settleGroup(context, group, known);
  for (const taskId of attachment.taskIds)
    if (!living.has(taskId))
      context.effects.push({ type: "executor-send", session, order: { type: "kill", taskId, graceMs: 0 } });
  if (self.kill) orderShutdown(context, self);
  settleIdle(context, self);
}

function selfOf({ state }: Context, { frameworkId, executorId, token }: Attachment): Task | ExecutorRefusal {
  const candidates = executorsOf(state, frameworkId, executorId).filter(({ phase }) => phase !== "ended");
  if (candidates.length === 0) {
    const message = `no executor ${executorId} of framework ${frameworkId} lives on this agent`;
    return { kind: "not-found", field: "subscription.executor_id", message };
  }
  const self = candidates.find(({ group }) => group.executor?.token === token);
  const message = "must be MUSTER_EXECUTOR_TOKEN of the executor's environment";
  return self ?? { kind: "forbidden", field: "subscription.token", message };
}

function takeSession({ state, effects }: Context, self: Task, session: number): void {
  const life = self.executor;
  if (!life) return;
  if (life.session !== undefined) {
    const message = "the executor has attached anew";
    effects.push({ type: "executor-end", session: life.session, refusal: { kind: "stale", field: "", message } });
    state.attached.delete(life.session);
  }
  life.session = session;
  life.attachByMs = undefined;
  state.attached.set(session, self);
  if (life.hasAttached) return;
  life.hasAttached = true;
  effects.push({ type: "persist-state", id: self.id, purpose: undefined });
}

/** Compares what the executor has of a group with what it should have. A group is given whole, or not at all. */
function settleGroup(context: Context, group: Group, known: ReadonlySet<string>): void {
  if (group.phase !== "launched") return;
  const living = group.tasks.filter(({ phase }) => phase !== "ended");
  const missing = living.filter(({ info }) => !known.has(info.taskId));
  const wasNeverGiven = missing.length === group.tasks.length && missing.every(({ served }) => served?.sequence === 0);
  if (wasNeverGiven && !missing.some(({ kill }) => kill)) giveGroup(context, group);
  else for (const task of missing) endMissing(context, task, wasNeverGiven);
  for (const task of living) {
    if (!task.kill || task.phase === "ended") continue;
    // The kill of an earlier life of the agent has no deadline yet.
    if (task.kill.deadlineMs === undefined) carryOutKill(context, task);
    else orderKill(context, task);
  }
}

function endMissing(context: Context, task: Task, wasNeverGiven: boolean): void {
  endTask(context, task.id, ({ kill }) => {
    if (wasNeverGiven && kill)
      return [TaskState.TASK_KILLED, { reason: StatusReason.REASON_KILLED_DURING_LAUNCH, message: kill.message }];
    const message = `executor ${task.group.executor?.id} does not know the task any more`;
    return [TaskState.TASK_FAILED, { reason: StatusReason.REASON_EXECUTOR_TERMINATED, message }];
  });
}

/** The session broke. The executor may come back for a while. */
export function detached({ state, now }: Context, session: number): void {
  const self = state.attached.get(session);
  state.attached.delete(session);
  if (self?.executor?.session !== session) return;
  self.executor.session = undefined;
  self.executor.idleAtMs = undefined;
  self.executor.attachByMs = now.monotonicMs + reattachTimeoutMs;
}

/** Bytes of an executor for its framework: told at once or never. */
export function executorSaid({ state, effects }: Context, session: number, messages: readonly Uint8Array[]): void {
  const self = state.attached.get(session);
  if (!self || !state.registered) return;
  const { frameworkId, executor } = self.group;
  for (const data of messages)
    effects.push({ type: "executor-relay", frameworkId, executorId: executor?.id ?? "", data });
}

/** Bytes of a framework for its executor: told at once or never. */
export function executorTold(context: Context, frameworkId: string, executorId: string, data: Uint8Array): void {
  const { state, effects } = context;
  const session = executorsOf(state, frameworkId, executorId).find(({ executor }) => executor?.session !== undefined)
    ?.executor?.session;
  if (session === undefined) {
    const fields = { frameworkId, executorId };
    effects.push({
      type: "log",
      level: "debug",
      fields,
      message: "a message for an executor that is away was dropped",
    });
  } else effects.push({ type: "executor-send", session, order: { type: "message", data } });
}

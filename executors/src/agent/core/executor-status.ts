import { isTerminal } from "@muster/foundation";
import { StatusReason, StatusSource, TaskState, type TaskStatus } from "@muster/proto";
import type { ExecutorRefusal, ServedTask } from "./executor-model.ts";
import { settleIdle } from "./executor-tasks.ts";
import type { Task } from "./model.ts";
import { pairKey } from "./model.ts";
import { endTask, stateAfterKill } from "./process.ts";
import { type Context, type News, report, statusesPerTaskMax } from "./status.ts";

const allowedStates: ReadonlySet<TaskState> = new Set([
  TaskState.TASK_STARTING,
  TaskState.TASK_RUNNING,
  TaskState.TASK_KILLING,
  TaskState.TASK_FINISHED,
  TaskState.TASK_FAILED,
  TaskState.TASK_KILLED,
]);

/** What an executor can know. The others speak of agents, masters and machines. */
const allowedReasons: ReadonlySet<StatusReason> = new Set([
  StatusReason.REASON_COMMAND_EXITED,
  StatusReason.REASON_LAUNCH_FAILED,
  StatusReason.REASON_LIMIT_EXCEEDED,
  StatusReason.REASON_OUT_OF_MEMORY,
  StatusReason.REASON_TASK_INVALID,
  StatusReason.REASON_UNHEALTHY,
  StatusReason.REASON_HEALTH_CHANGED,
]);

/** Takes in what an executor says of one of its tasks. It is confirmed once it is durable; a repetition at once. */
export function takeExecutorStatus(context: Context, self: Task, session: number, status: TaskStatus): void {
  const { updateId } = status;
  const { effects } = context;
  const task = servedTask(context, self, status.taskId);
  const refusal = task?.served ? faultOf(task, task.served, status) : unknownTask(status, self);
  if (!task?.served || refusal) {
    if (refusal) effects.push({ type: "executor-send", session, order: { type: "refuse", updateId, refusal } });
    return;
  }
  const { served } = task;
  if (status.sequence <= served.sequence) {
    const waiting = served.pending.find((one) => one.updateId === updateId);
    if (!waiting) effects.push({ type: "executor-send", session, order: { type: "acknowledge", updateId } });
    else {
      const purpose = { type: "status", id: task.id, sequence: waiting.sequence } as const;
      effects.push({ type: "persist-state", id: task.id, purpose });
    }
    return;
  }
  served.sequence = status.sequence;
  served.isGiven = true;
  served.pending.push({ sequence: task.sequence + 1, updateId });
  take(context, task, status);
}

/** The latest launch of that id: an earlier one has ended, and its updates were taken in. */
function servedTask({ state }: Context, self: Task, taskId: string): Task | undefined {
  const named = state.named.get(pairKey(self.group.frameworkId, taskId)) ?? [];
  return named.filter(({ served }) => served?.self === self).at(-1);
}

function take(context: Context, task: Task, status: TaskStatus): void {
  const news: News = {
    reason: allowedReasons.has(status.reason) ? status.reason : StatusReason.STATUS_REASON_UNSPECIFIED,
    message: status.message,
    source: StatusSource.STATUS_SOURCE_EXECUTOR,
    signal: status.signal.slice(0, 32),
    ...(status.exitCode === undefined ? {} : { exitCode: status.exitCode }),
    ...(status.at > 0 ? { at: status.at } : {}),
  };
  task.health = status.health;
  if (isTerminal(status.state)) {
    endTask(context, task.id, ({ kill }) =>
      kill && status.state === TaskState.TASK_KILLED
        ? [stateAfterKill(task), { ...news, reason: kill.reason, message: status.message || kill.message }]
        : [status.state, news],
    );
    if (task.served) settleIdle(context, task.served.self);
    return;
  }
  task.phase = "running";
  if (task.spec.runTimeMsMax > 0) task.endsAt ??= context.now.epochMs + task.spec.runTimeMsMax;
  report(context, task, task.kill ? TaskState.TASK_KILLING : status.state, news);
}

function unknownTask({ taskId }: TaskStatus, self: Task): ExecutorRefusal {
  const message = `${taskId} is no task of executor ${self.group.executor?.id}`;
  return { kind: "not-found", field: "task_id", message };
}

function faultOf(task: Task, served: ServedTask, status: TaskStatus): ExecutorRefusal | undefined {
  if (!Number.isSafeInteger(status.sequence) || status.sequence < 1)
    return { kind: "invalid", field: "sequence", message: "must count the updates of the task, from 1" };
  if (!allowedStates.has(status.state)) {
    const names = "TASK_STARTING, TASK_RUNNING, TASK_KILLING, TASK_FINISHED, TASK_FAILED or TASK_KILLED";
    return { kind: "invalid", field: "state", message: `must be ${names}` };
  }
  if (status.sequence <= served.sequence) return undefined;
  if (task.phase === "ended")
    return { kind: "wrong-state", field: "state", message: `task ${task.info.taskId} has ended` };
  if (served.pending.length >= statusesPerTaskMax && !isTerminal(status.state)) {
    const message = `${statusesPerTaskMax} updates of the task wait for the disk`;
    return { kind: "too-many", field: "", message };
  }
  return undefined;
}

/** Updates up to this number of the agent's are durable: the executor may forget them. */
export function confirmKept({ effects }: Context, task: Task, sequence: number): void {
  const { served } = task;
  if (!served || served.pending.length === 0) return;
  const session = served.self.executor?.session;
  for (const { updateId, sequence: own } of served.pending)
    if (own <= sequence && session !== undefined)
      effects.push({ type: "executor-send", session, order: { type: "acknowledge", updateId } });
  served.pending = served.pending.filter((one) => one.sequence > sequence);
}

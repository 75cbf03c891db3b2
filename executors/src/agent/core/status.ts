import { isTerminal } from "@muster/foundation";
import { StatusReason, StatusSource, TaskState, type TaskStatus } from "@muster/proto";
import type { AgentEffect } from "./effects.ts";
import type { AgentState, Now, Task } from "./model.ts";
import { ownIps } from "./net.ts";
import { addressesOf } from "./places.ts";
import { forgetNeeds } from "./templates/wanted.ts";

/** Statuses of one task that wait for acknowledgement. Beyond, changes of health and restarts in the middle are left out. */
export const statusesPerTaskMax = 64;
export const resendDelayMsFirst = 1_000;
export const resendDelayMsMax = 60_000;
/** Bytes of a status's message. */
const messageLengthMax = 1_024;

export interface Context {
  readonly state: AgentState;
  readonly now: Now;
  readonly effects: AgentEffect[];
}

export interface News {
  readonly reason?: StatusReason;
  /** Default: the agent. */
  readonly source?: StatusSource;
  readonly message?: string;
  readonly exitCode?: number | undefined;
  readonly signal?: string;
  /** Milliseconds since the epoch; default: now. */
  readonly at?: number;
}

/**
 * Makes the next status of a task, queues it and asks for it to be made durable; it is sent once it is. The first
 * terminal status is the last: whatever comes after it is dropped.
 */
export function report(context: Context, task: Task, taskState: TaskState, news: News = {}): void {
  if (task.phase === "ended") return;
  task.sequence++;
  const status = makeStatus(context, task, taskState, news);
  task.latest = status;
  if (isTerminal(taskState)) {
    task.phase = "ended";
    if (task.executor) context.state.executorsEnded.push(task);
    releaseImage(context, task);
    releaseArtifacts(context, task);
    forgetNeeds(context, task);
  }
  const isVolatile = task.group.phase === "refused";
  if (task.queue.length >= statusesPerTaskMax) dropPassing(task);
  task.queue.push({ status, durable: isVolatile, resendAtMs: undefined, delayMs: resendDelayMsFirst });
  if (isVolatile) {
    task.durable = status;
    sendHead(context, task);
  } else {
    const purpose = { type: "status", id: task.id, sequence: task.sequence } as const;
    context.effects.push({ type: "persist-state", id: task.id, purpose });
  }
}

/** A task that has ended needs its image no more. */
function releaseImage({ effects }: Context, task: Task): void {
  if (task.image.name === "none" || task.image.name === "released") return;
  task.image = { name: "released" };
  effects.push({ type: "release-image", id: task.id });
}

/** What a task waited for that does not start any more is wanted by nobody. */
function releaseArtifacts({ effects }: Context, task: Task): void {
  if (task.artifacts === "fetching") effects.push({ type: "release-artifacts", id: task.id });
  if (task.artifacts !== "none") task.artifacts = "released";
}

/** Sends the oldest status that waits, if it is durable and there is somebody to send it to. */
export function sendHead({ state, now, effects }: Context, task: Task): void {
  const head = task.queue[0];
  if (!head?.durable || !state.registered || head.resendAtMs !== undefined) return;
  head.resendAtMs = now.monotonicMs + head.delayMs;
  effects.push({ type: "send", status: head.status });
}

/** Sends the oldest status again if its time has come. */
export function resendHead(context: Context, task: Task): void {
  const head = task.queue[0];
  if (head?.resendAtMs === undefined || !context.state.registered || context.now.monotonicMs < head.resendAtMs) return;
  head.delayMs = Math.min(resendDelayMsMax, head.delayMs * 2);
  head.resendAtMs = undefined;
  sendHead(context, task);
}

/** Takes in that a status and all before it are durable. */
export function markDurable(context: Context, task: Task, sequence: number): void {
  for (const queued of task.queue) {
    if (queued.status.sequence > sequence) continue;
    queued.durable = true;
    task.durable = queued.status;
  }
  sendHead(context, task);
}

export function acknowledge(context: Context, frameworkId: string, taskId: string, updateId: string): void {
  const tasks = context.state.named.get(`${frameworkId}/${taskId}`) ?? [];
  const task = tasks.find((candidate) => candidate.queue[0]?.status.updateId === updateId);
  if (!task) return;
  task.queue.shift();
  if (task.phase === "ended" && task.queue.length === 0) task.acknowledgedAt = context.now.epochMs;
  if (task.group.phase !== "refused") context.effects.push({ type: "persist-state", id: task.id, purpose: undefined });
  sendHead(context, task);
}

/** What a master is told of a task at the beginning of a session. */
export function presentStatus(context: Context, task: Task): TaskStatus {
  return task.durable ?? { ...makeStatus(context, task, TaskState.TASK_STAGING, {}), updateId: "", sequence: 0 };
}

function makeStatus({ state, now }: Context, task: Task, taskState: TaskState, news: News): TaskStatus {
  const status: TaskStatus = {
    taskId: task.info.taskId,
    launchId: task.group.launchId,
    frameworkId: task.group.frameworkId,
    agentId: state.config.agentId,
    state: taskState,
    reason: news.reason ?? StatusReason.STATUS_REASON_UNSPECIFIED,
    source: news.source ?? StatusSource.STATUS_SOURCE_AGENT,
    message: (news.message ?? "").slice(0, messageLengthMax),
    updateId: `${task.id}-${task.sequence}`,
    sequence: task.sequence,
    at: news.at ?? now.epochMs,
    health: task.health,
    signal: news.signal ?? "",
    container: {
      pid: task.started?.pid ?? 0,
      ips: [...ownIps(task.group)],
      ports: task.group.assigned,
      networks: addressesOf(task.group),
    },
  };
  if (task.attempt > 0) status.restartCount = task.attempt;
  if (task.nextTry && task.phase === "restarting") status.nextTryAt = task.nextTry.at;
  if (news.exitCode !== undefined) status.exitCode = news.exitCode;
  return status;
}

/** The head may be on its way and the first of a state says more than the later ones. */
function dropPassing(task: Task): void {
  const index = task.queue.findIndex(
    ({ status }, at) =>
      at > 0 &&
      (status.reason === StatusReason.REASON_HEALTH_CHANGED ||
        status.reason === StatusReason.REASON_KILL_ASKED ||
        status.restartCount !== undefined ||
        // An executor may tell of a running task as often as it likes.
        (status.source === StatusSource.STATUS_SOURCE_EXECUTOR && status.state === TaskState.TASK_RUNNING)),
  );
  if (index > 0) task.queue.splice(index, 1);
}

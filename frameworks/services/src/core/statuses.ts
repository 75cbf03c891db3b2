import { Health, isTerminal, StatusReason, TaskState, type TaskStatus } from "@muster/framework-sdk";
import { isPassing, restartOf, restartsInPlace } from "@muster/jobspecs";
import { versionServing } from "./deployments.ts";
import { givenUpAfterMs } from "./disconnects.ts";
import { freshInstance, freshTask } from "./fresh.ts";
import { readTaskId, versionOfLaunch } from "./ids.ts";
import {
  groupOf,
  type Instance,
  type JobEntry,
  type Now,
  type ServicesState,
  slotKeyOf,
  type TaskEnd,
  type TaskView,
  versionOf,
} from "./model.ts";
import { freshRestarts, recordDrop, recordFailure } from "./restarts.ts";
import { notePredecessor } from "./sticky.ts";
import { noteMade } from "./volumes.ts";

/** Tasks of unknown jobs that are remembered to be ended. Beyond, they are found again by the next reconciliation. */
const orphansMax = 10_000;

/** Takes in what became of a task. Tasks of earlier sessions are adopted by what their ids say. O(tasks of a group). */
export function takeStatus(state: ServicesState, status: TaskStatus, now: Now): void {
  const { taskId, launchId } = status;
  const isOver = isTerminal(status.state) || status.state === TaskState.TASK_UNKNOWN;
  if (isOver) state.orphans.delete(taskId);
  const instance = state.byTask.get(taskId) ?? (isOver ? undefined : adopt(state, status, now));
  if (instance === undefined) {
    if (!isOver && state.orphans.size < orphansMax) state.orphans.set(taskId, status.agentId);
    return;
  }
  if (instance.launchId === "" && launchId !== "") {
    instance.launchId = launchId;
    instance.version = versionOfLaunch(launchId) ?? instance.version;
  }
  if (launchId !== "" && launchId !== instance.launchId) return;
  const view = instance.tasks.get(taskId);
  const entry = state.jobs.get(instance.jobName);
  if (view === undefined || entry === undefined) return;
  updateView(view, status, now);
  if (status.agentId !== "") instance.agentId = status.agentId;
  settleTimes(entry, instance, now);
  if (hasBegun(status.state)) noteBegin(entry, instance);
  const serving = instance.runningSinceMs === undefined ? undefined : versionServing(entry, instance);
  const restarts = serving && entry.restarts.get(slotKeyOf(entry, serving, instance.group, instance.index));
  if (restarts) restarts.dropCount = 0;
  state.dirty.add(entry.name);
  if (!isOver || (hasPassed(view) && !allOver(instance))) return;
  // The others end on account of the first: what they say of it is no reason of their own.
  const isFirst = instance.endedBy === undefined || instance.endedBy.reason === StatusReason.REASON_TASK_GROUP_ENDED;
  if (!instance.isKilling && isFirst) instance.endedBy = endOf(status);
  if (allOver(instance)) endInstance(state, entry, instance, instance.endedBy ?? endOf(status), now);
}

function hasBegun(state: TaskState): boolean {
  return state === TaskState.TASK_STARTING || state === TaskState.TASK_RUNNING || state === TaskState.TASK_KILLING;
}

function noteBegin(entry: JobEntry, instance: Instance): void {
  instance.hasBegun = true;
  noteMade(entry, instance.group, instance.index);
}

function updateView(view: TaskView, status: TaskStatus, now: Now): void {
  noteKillAsked(view, status, now);
  view.state = status.state;
  view.health = status.health;
  view.message = status.message;
  view.exitCode = status.exitCode;
  view.restartCount = status.restartCount ?? 0;
  view.nextTryAt = status.nextTryAt ?? 0;
  const { container } = status;
  if (!container) return;
  view.pid = container.pid;
  view.ips = [...container.ips];
  view.ports = container.ports.map(({ label, number, to, protocol, ip }) => ({ label, number, to, protocol, ip }));
}

/** An answer to a question says how the task is, and not what its agent asks for. */
function noteKillAsked(view: TaskView, { state, reason, health }: TaskStatus, now: Now): void {
  const isRunning = state === TaskState.TASK_RUNNING;
  if (isRunning && reason === StatusReason.REASON_KILL_ASKED)
    view.killAsked ??= { sinceMs: now.monotonicMs, toldMs: undefined };
  else if (!isRunning || reason !== StatusReason.REASON_RECONCILIATION || health !== Health.HEALTH_UNHEALTHY)
    view.killAsked = undefined;
}

/** Since when an instance runs, is healthy, or is out of reach. */
function settleTimes(entry: JobEntry, instance: Instance, now: Now): void {
  let isRunning = !lacksTask(instance);
  let isHealthy = isRunning;
  let isUnreachable = false;
  for (const { state, health, hasChecks, isPassing: passes } of instance.tasks.values()) {
    if (passes && state !== TaskState.TASK_UNREACHABLE) continue;
    if (state !== TaskState.TASK_RUNNING) isRunning = isHealthy = false;
    if (state === TaskState.TASK_UNREACHABLE) isUnreachable = true;
    if (hasChecks && health !== Health.HEALTH_HEALTHY) isHealthy = false;
  }
  instance.runningSinceMs = isRunning ? (instance.runningSinceMs ?? now.monotonicMs) : undefined;
  instance.ranSinceMs ??= instance.runningSinceMs;
  instance.healthySinceMs = isHealthy ? (instance.healthySinceMs ?? now.monotonicMs) : undefined;
  const awayMs = now.monotonicMs - (instance.unreachableSinceMs ?? now.monotonicMs);
  const group = awayMs > 0 && !isUnreachable ? groupOf(entry.current, instance.group) : undefined;
  if (group && awayMs >= givenUpAfterMs(group)) instance.cameBackLate = true;
  instance.unreachableSinceMs = isUnreachable ? (instance.unreachableSinceMs ?? now.monotonicMs) : undefined;
  if (isRunning && instance.startedAt === 0) instance.startedAt = now.epochMs;
}

/** Whether a task that is to go on with its instance has not been heard of. */
export function lacksTask(instance: Instance): boolean {
  let count = 0;
  for (const view of instance.tasks.values()) if (!view.isPassing) count++;
  return count < instance.taskCount;
}

/** It was there for a while, and has done what it was there for. */
function hasPassed({ isPassing: passes, state }: TaskView): boolean {
  return passes && state === TaskState.TASK_FINISHED;
}

/** What is kept of a status outlives the message that it came in. */
function endOf({ taskId, state, reason, message, exitCode, signal }: TaskStatus): TaskEnd {
  return { taskId, state, reason, message, signal, ...(exitCode === undefined ? {} : { exitCode }) };
}

function allOver(instance: Instance): boolean {
  for (const { state } of instance.tasks.values())
    if (!isTerminal(state) && state !== TaskState.TASK_UNKNOWN) return false;
  return true;
}

/** A task that this process did not launch: its ids name job, group, index and version. */
function adopt(state: ServicesState, status: TaskStatus, now: Now): Instance | undefined {
  const parts = readTaskId(status.taskId);
  const ref = parts && state.prefixes.get(parts.prefix);
  const entry = ref && state.jobs.get(ref.jobName);
  if (parts === undefined || ref === undefined || entry === undefined) return undefined;
  // An answer about an agent that is out of reach names no launch; then the version is not known, and taken as current.
  const version = versionOfLaunch(status.launchId) ?? entry.current.record.version;
  const known = entry.instances.get(parts.instanceId);
  const made = versionOf(entry, version);
  const group = made && groupOf(made, ref.group);
  const instance = known ?? {
    ...freshInstance({
      ...{ id: parts.instanceId, launchId: status.launchId, jobName: ref.jobName, group: ref.group },
      ...{ index: parts.index, version, agentId: status.agentId, agentName: "", launchedMs: now.monotonicMs },
      taskCount: group?.tasks.filter((task) => !isPassing(task)).length ?? 1,
    }),
    isKilling: status.state === TaskState.TASK_KILLING,
    startedAt: status.state === TaskState.TASK_RUNNING ? status.at : 0,
  };
  const task = group?.tasks[parts.ordinal];
  const view = freshTask({
    taskId: status.taskId,
    name: task?.name ?? "",
    isPassing: task !== undefined && isPassing(task),
    hasChecks: made?.checked.get(ref.group)?.[parts.ordinal] ?? false,
  });
  const { state: taskState, health, message } = status;
  instance.tasks.set(status.taskId, { ...view, state: taskState, health, message });
  entry.instances.set(instance.id, instance);
  if (entry.current.job.type === "system")
    entry.systemIndexes.set(systemKey(instance.group, instance.agentId), instance.index);
  state.byTask.set(status.taskId, instance);
  return instance;
}

/** Which key a system job's agent has. */
export function systemKey(group: string, agentId: string): string {
  return `${group}/${agentId}`;
}

function endInstance(state: ServicesState, entry: JobEntry, instance: Instance, status: TaskEnd, now: Now): void {
  forgetInstance(state, entry, instance);
  notePredecessor(state, entry, instance);
  const serving = instance.isKilling ? undefined : versionServing(entry, instance);
  const group = serving && groupOf(serving, instance.group);
  if (serving === undefined || group === undefined) return;
  const key = slotKeyOf(entry, serving, instance.group, instance.index);
  const { version } = serving.record;
  let restarts = entry.restarts.get(key);
  if (restarts === undefined) {
    restarts = freshRestarts(version);
    entry.restarts.set(key, restarts);
  }
  restarts.version = version;
  restarts.lastEnd = describeEnd(instance, status);
  restarts.lastExitCode = status.exitCode;
  const end = kindOfEnd(status);
  if (end === "dropped") recordDrop(restarts, now.epochMs);
  else if (end === "moved") restarts.nextTryAt = 0;
  else {
    const ranMs = instance.ranSinceMs === undefined ? 0 : now.monotonicMs - instance.ranSinceMs;
    const task = group.tasks.find(({ name }) => name === instance.tasks.get(status.taskId)?.name);
    const isUsedUp = task !== undefined && isInPlace(status) && restartsInPlace(restartOf(group, task));
    recordFailure(restarts, group, { agentId: instance.agentId, ranMs, isUsedUp }, now.epochMs);
  }
  if (end !== "dropped") state.restartsChanged.add(entry.name);
}

/** Takes an instance out of the books. */
export function forgetInstance(state: ServicesState, entry: JobEntry, instance: Instance): void {
  entry.instances.delete(instance.id);
  for (const taskId of instance.tasks.keys()) state.byTask.delete(taskId);
}

/** Ends after which an agent starts a task again if its policy says so: what it tells of them was the last time. */
function isInPlace({ reason }: TaskEnd): boolean {
  return (
    reason === StatusReason.REASON_COMMAND_EXITED ||
    reason === StatusReason.REASON_OUT_OF_MEMORY ||
    reason === StatusReason.REASON_LIMIT_EXCEEDED ||
    reason === StatusReason.REASON_SUPERVISOR_LOST ||
    reason === StatusReason.REASON_ARTIFACT_FAILED ||
    reason === StatusReason.REASON_UNHEALTHY
  );
}

/** "failed": it counts against its restarts. "moved": its agent's doing, or wanted. "dropped": it never began. */
function kindOfEnd({ state, reason }: TaskEnd): "failed" | "moved" | "dropped" {
  switch (reason) {
    case StatusReason.REASON_UNHEALTHY:
    case StatusReason.REASON_UNSUPPORTED:
    case StatusReason.REASON_LAUNCH_FAILED:
      return "failed";
    case StatusReason.REASON_AGENT_SHUTDOWN:
    case StatusReason.REASON_AGENT_REBOOTED:
    case StatusReason.REASON_AGENT_DRAINING:
    case StatusReason.REASON_AGENT_GONE:
    case StatusReason.REASON_PREEMPTED:
    case StatusReason.REASON_FRAMEWORK_REMOVED:
      return "moved";
    case StatusReason.REASON_PORT_IN_USE:
    case StatusReason.REASON_RESOURCES_MISSING:
      return "dropped";
    default:
  }
  if (state === TaskState.TASK_DROPPED || state === TaskState.TASK_UNKNOWN) return "dropped";
  if (state === TaskState.TASK_GONE || state === TaskState.TASK_KILLED) return "moved";
  return "failed";
}

function describeEnd(instance: Instance, status: TaskEnd): string {
  const task =
    instance.tasks.size > 1 || instance.taskCount > 1 ? `task ${instance.tasks.get(status.taskId)?.name ?? ""}: ` : "";
  if (status.message !== "") return `${task}${status.message}`;
  if (status.exitCode !== undefined) return `${task}exit code ${status.exitCode}`;
  if (status.signal !== "") return `${task}ended by ${status.signal}`;
  return `${task}ended`;
}

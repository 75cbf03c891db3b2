import { isTerminal, StatusReason, TaskState, type TaskStatus, taskStateName } from "@muster/framework-sdk";
import { restartOf, restartsInPlace } from "@muster/jobspecs";
import { groupOf } from "./build.ts";
import { awaitedMs } from "./disconnects.ts";
import { hasEnded, isOver, type JobEntry, type TaskPlace, type TaskProgress } from "./model.ts";
import { activeRuns, endInstance, failAttempt, hasStarted, loseLaunch, moveInstance } from "./runs.ts";
import { afterSave, jobOf, type Turn, taskIdsOf, touch } from "./turn.ts";

/** Ends of a task that somebody wanted. Every other end without success is a failure, and tried again. */
const wantedReasons: ReadonlySet<StatusReason> = new Set([
  StatusReason.STATUS_REASON_UNSPECIFIED,
  StatusReason.REASON_COMMAND_EXITED,
  StatusReason.REASON_KILLED_BY_FRAMEWORK,
  StatusReason.REASON_KILLED_DURING_LAUNCH,
]);

/** Ends after which an agent starts a task again if its policy says so: what it tells of them was the last time. */
const inPlaceReasons: ReadonlySet<StatusReason> = new Set([
  StatusReason.REASON_COMMAND_EXITED,
  StatusReason.REASON_OUT_OF_MEMORY,
  StatusReason.REASON_LIMIT_EXCEEDED,
  StatusReason.REASON_SUPERVISOR_LOST,
  StatusReason.REASON_UNHEALTHY,
  StatusReason.REASON_ARTIFACT_FAILED,
]);

/** Drops that say nothing about the task: the same launch may well succeed on another offer. */
const passingReasons: ReadonlySet<StatusReason> = new Set([
  StatusReason.REASON_INVALID_OFFERS,
  StatusReason.REASON_AGENT_DISCONNECTED,
  StatusReason.REASON_AGENT_UNKNOWN,
  StatusReason.REASON_AGENT_DRAINING,
  StatusReason.REASON_PORT_IN_USE,
]);

/** Takes news of a task in. It is acknowledged once what follows from it is durable. */
export function takeStatus(turn: Turn, status: TaskStatus): void {
  const place = turn.state.tasks.get(status.taskId);
  if (!place) {
    turn.effects.push({ type: "acknowledge", status });
    if (isAlive(status.state)) turn.effects.push({ type: "kill", taskId: status.taskId });
    return;
  }
  const { entry } = place;
  if (isTerminal(status.state) || status.state === TaskState.TASK_UNKNOWN) takeEnd(turn, place, status);
  else takeProgress(turn, place, status);
  afterSave(turn, entry, { type: "acknowledge", status });
}

/** Everything that lives has been told: what is still in question was never launched, or has been lost. */
export function settleQuestions(turn: Turn): void {
  for (const entry of turn.state.jobs.values())
    for (const run of [...entry.runs])
      for (const instance of [...run.instances]) {
        if (!instance.inQuestion || hasEnded(run) || isOver(instance)) continue;
        instance.inQuestion = false;
        turn.looked.add(entry);
        // A retry that is still waiting for its time was certainly not launched.
        if (instance.phase === "waiting" && instance.notBefore > turn.nowMs && run.ending === undefined) continue;
        if (hasStarted(instance)) failAttempt(turn, entry, run, instance, "lost while nobody was looking");
        else loseLaunch(turn, entry, run, instance, "never launched");
      }
}

/** Gives up what of a job has been on silent agents for too long. */
export function giveUpUnreachable(turn: Turn, entry: JobEntry): void {
  for (const run of activeRuns(entry))
    for (const instance of [...run.instances]) {
      if (instance.unreachableAt === 0 || hasEnded(run) || isOver(instance)) continue;
      if (turn.nowMs - instance.unreachableAt < awaitedMs(groupOf(jobOf(entry, run), instance))) continue;
      failAttempt(turn, entry, run, instance, `agent ${instance.agentName || instance.agentId} does not answer`);
    }
}

function takeProgress(turn: Turn, { entry, run, instance, ordinal }: TaskPlace, status: TaskStatus): void {
  const task = instance.tasks[ordinal];
  if (!task) return;
  instance.inQuestion = false;
  instance.phase = "launched";
  instance.agentId = status.agentId;
  instance.unreachableAt = status.state === TaskState.TASK_UNREACHABLE ? turn.nowMs : 0;
  if (run.taskId === "" || ordinal === 0) run.taskId = status.taskId;
  if (status.state === TaskState.TASK_RUNNING && task.startedAt === 0) task.startedAt = status.at || turn.nowMs;
  if (status.container) task.pid = status.container.pid;
  task.state = status.state;
  task.exitCode = status.exitCode;
  takeRestarts(task, status);
  if (status.state === TaskState.TASK_STARTING || status.state === TaskState.TASK_RUNNING) {
    run.phase = "running";
    instance.lostLaunches = 0;
    if (run.startedAt === 0) run.startedAt = status.at || turn.nowMs;
  }
  touch(turn, entry);
  if (run.ending !== undefined)
    for (const taskId of taskIdsOf(entry, run, instance)) turn.effects.push({ type: "kill", taskId });
}

function takeEnd(turn: Turn, { entry, run, instance, ordinal }: TaskPlace, status: TaskStatus): void {
  const task = instance.tasks[ordinal];
  if (!task) return;
  const neverStarted = !hasStarted(instance);
  instance.inQuestion = false;
  instance.phase = "launched";
  if (status.agentId !== "") instance.agentId = status.agentId;
  run.taskId = status.taskId;
  task.state = status.state;
  task.exitCode = status.exitCode;
  takeRestarts(task, status);
  task.wentWithGroup = status.reason === StatusReason.REASON_TASK_GROUP_ENDED;
  const group = groupOf(jobOf(entry, run), instance);
  const policy = group.tasks[ordinal] && restartOf(group, group.tasks[ordinal]);
  task.isUsedUp = policy !== undefined && inPlaceReasons.has(status.reason) && restartsInPlace(policy);
  task.userKill = status.state === TaskState.TASK_KILLED && wantedReasons.has(status.reason);
  task.isPreempted = status.state === TaskState.TASK_KILLED && status.reason === StatusReason.REASON_PREEMPTED;
  touch(turn, entry);
  if (!instance.tasks.every(({ state }) => isTerminal(state) || state === TaskState.TASK_UNKNOWN)) return;
  const bad = instance.tasks.find((one) => !isGood(one));
  if (!bad) {
    instance.reason = "";
    endInstance(turn, entry, run, instance, run.ending ?? "succeeded");
    return;
  }
  const reason = explain(status);
  if (bad.isPreempted) moveInstance(turn, entry, run, instance, reason);
  else if (neverStarted && isPassing(status)) loseLaunch(turn, entry, run, instance, reason);
  else if (bad.userKill && run.ending === undefined) {
    instance.reason = status.message === "" ? "killed" : status.message;
    endInstance(turn, entry, run, instance, "killed");
  } else failAttempt(turn, entry, run, instance, reason, bad.isUsedUp);
}

function takeRestarts(task: TaskProgress, { restartCount = 0, nextTryAt = 0, message }: TaskStatus): void {
  task.restartCount = restartCount;
  task.nextTryAt = nextTryAt;
  task.message = message;
}

function isGood({ state, wentWithGroup }: TaskProgress): boolean {
  return state === TaskState.TASK_FINISHED || (state === TaskState.TASK_KILLED && wentWithGroup);
}

/** Whether a launch came to nothing in a way that says nothing about the task. */
function isPassing({ state, reason }: TaskStatus): boolean {
  if (state === TaskState.TASK_DROPPED) return passingReasons.has(reason);
  return (
    state === TaskState.TASK_UNKNOWN || (state === TaskState.TASK_GONE && reason === StatusReason.REASON_RECONCILIATION)
  );
}

function isAlive(state: TaskState): boolean {
  return !isTerminal(state) && state !== TaskState.TASK_UNKNOWN && state !== TaskState.TASK_UNREACHABLE;
}

function explain(status: TaskStatus): string {
  const parts = [taskStateName(status.state)];
  if (status.exitCode !== undefined) parts.push(`exit code ${status.exitCode}`);
  if (status.signal !== "") parts.push(status.signal);
  if (status.message !== "") parts.push(status.message);
  return parts.join(", ");
}

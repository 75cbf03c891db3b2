import { Health, StatusReason, TaskState } from "@muster/proto";
import type { TaskListener } from "../../world/host-ports.ts";
import type { ProcExit, ProcStarted } from "../../world/proc.ts";
import { taskOf } from "./attempts.ts";
import { awaitAttachment } from "./executor-end.ts";
import { startChecks } from "./health.ts";
import { beginKill, carryOutKill } from "./kill.ts";
import { isFault } from "./kill-outcome.ts";
import { memoryVerdict } from "./memory.ts";
import type { Group, Task } from "./model.ts";
import { modesText } from "./places.ts";
import { asksForHolders, conflictText } from "./port-conflict.ts";
import { startAgain } from "./restart.ts";
import { type Context, type News, report } from "./status.ts";
import { resumeTemplates } from "./templates/begin.ts";
import { advance } from "./turns.ts";

/** The command's program runs. */
export function started(context: Context, id: string, facts: ProcStarted): void {
  const task = taskOf(context.state, id);
  if (task?.phase !== "starting") return;
  // An adopted task was told to be running in an earlier life; its framework need not hear it again.
  const isAdopted = task.started !== undefined;
  task.started = facts;
  if (task.spec.artifacts.length > 0) task.artifacts = "ready";
  task.phase = "running";
  task.nextTry = undefined;
  if (task.spec.runTimeMsMax > 0) task.endsAt ??= facts.at + task.spec.runTimeMsMax;
  if (task.group.damaged) {
    const message = "the agent's record of the task was damaged";
    beginKill(context, task, { reason: StatusReason.REASON_CHECKPOINT_DAMAGED, message });
    return;
  }
  if (!isAdopted && !task.kill) report(context, task, TaskState.TASK_RUNNING, { at: facts.at });
  if (task.executor) awaitAttachment(context, task, isAdopted);
  startChecks(context, task, isAdopted);
  resumeTemplates(context, task);
  carryOutKill(context, task);
  advance(context, task.group);
}

/** The command could not be started. */
export function startFailed(context: Context, id: string, cause: string): void {
  endTask(context, id, (task) => {
    // Of several tasks' reasons people must see which command is meant: it is what they mistyped.
    const message = `${task.spec.command || "the image's command"} can't be started: ${cause}`;
    return task.kill
      ? [TaskState.TASK_KILLED, { reason: StatusReason.REASON_KILLED_DURING_LAUNCH, message }]
      : [TaskState.TASK_FAILED, { reason: StatusReason.REASON_LAUNCH_FAILED, message }];
  });
}

/** The command ended, and nothing of it is alive. */
export function exited(context: Context, id: string, exit: ProcExit): void {
  const task = taskOf(context.state, id);
  if (task?.phase === "running" && asksForHolders(context, task, exit)) return;
  tellEnd(context, id, exit, []);
}

/** It is known who listens in the group of a task whose end waits for that. */
export function holdersFound(context: Context, id: string, found: readonly TaskListener[]): void {
  const exit = context.state.endsWaiting.get(id);
  context.state.endsWaiting.delete(id);
  if (exit) tellEnd(context, id, exit, found);
}

function tellEnd(context: Context, id: string, exit: ProcExit, found: readonly TaskListener[]): void {
  endTask(context, id, (task) => {
    const news = { exitCode: exit.exitCode, signal: exit.signal, at: exit.at };
    if (task.kill)
      return [stateAfterKill(task, exit), { ...news, reason: task.kill.reason, message: task.kill.message }];
    if (task.group.damaged) return damaged(news);
    if (exit.exitCode === 0) return [TaskState.TASK_FINISHED, { ...news, reason: StatusReason.REASON_COMMAND_EXITED }];
    const memory = memoryVerdict(task, exit);
    if (memory) return [TaskState.TASK_FAILED, { ...news, ...memory }];
    const message = exit.signal === "" ? `exit code ${exit.exitCode}` : `ended by ${exit.signal}`;
    const text = `${message}${conflictText(task, found)}`;
    return [TaskState.TASK_FAILED, { ...news, reason: StatusReason.REASON_COMMAND_EXITED, message: text }];
  });
}

/** What the end of a task is that was asked for. */
export function stateAfterKill({ kill }: Task, exit?: ProcExit): TaskState {
  if (kill && isFault(kill.reason)) return TaskState.TASK_FAILED;
  const isAtRest = kill?.reason === StatusReason.REASON_EXECUTOR_IDLE && exit?.exitCode === 0;
  return isAtRest ? TaskState.TASK_FINISHED : TaskState.TASK_KILLED;
}

function damaged(news: News): [TaskState, News] {
  const message = "the agent's record of the task was damaged";
  return [TaskState.TASK_FAILED, { ...news, reason: StatusReason.REASON_CHECKPOINT_DAMAGED, message }];
}

function netBroken(group: Group): [TaskState, News] {
  const message = `network ${modesText(group)}: ${group.net.name === "broken" ? group.net.reason : ""}`;
  return [TaskState.TASK_FAILED, { reason: StatusReason.REASON_LAUNCH_FAILED, message }];
}

export function supervisorLost(context: Context, id: string): void {
  endTask(context, id, () => [
    TaskState.TASK_FAILED,
    { reason: StatusReason.REASON_SUPERVISOR_LOST, message: "its shim died; what it had started was killed" },
  ]);
}

/** The task was to be taken up again, but nothing runs and no end was recorded. */
export function absent(context: Context, id: string): void {
  const task = taskOf(context.state, id);
  if (task?.phase !== "starting") return;
  if (task.group.damaged) endTask(context, id, () => damaged({}));
  else if (task.bootId !== context.state.config.bootId && task.bootId !== "")
    endTask(context, id, () => [
      TaskState.TASK_FAILED,
      { reason: StatusReason.REASON_AGENT_REBOOTED, message: "the machine was restarted" },
    ]);
  else if (task.started) endTask(context, id, () => damaged({}));
  else if (task.group.net.name === "broken") endTask(context, id, () => netBroken(task.group));
  else {
    // The agent died between the record and the shim: the launch goes on where it stood.
    task.phase = task.nextTry ? "restarting" : "preparing";
    task.bootId = context.state.config.bootId;
    if (task.kill) beginKill(context, task, { reason: task.kill.reason, message: task.kill.message });
    advance(context, task.group);
  }
}

export function endTask(context: Context, id: string, outcome: (task: Task) => [TaskState, News]): void {
  const task = taskOf(context.state, id);
  if (!task || task.phase === "ended") return;
  const [taskState, news] = outcome(task);
  const again = startAgain(context, task, taskState, news);
  if (again === true) return;
  // A dead task is neither healthy nor unhealthy; what it was last says nothing any more.
  if (taskState !== TaskState.TASK_FINISHED && task.health === Health.HEALTH_HEALTHY)
    task.health = Health.HEALTH_UNSPECIFIED;
  report(context, task, taskState, again || news);
  advance(context, task.group);
}

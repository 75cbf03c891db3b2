import { LifecycleHook, StatusReason, TaskState } from "@muster/proto";
import { limitsOf } from "../../networks/limits/limits.ts";
import { type AgentState, type Group, pairKey, type Task } from "./model.ts";
import type { Context } from "./status.ts";

/** Why a group can't have to do with its executor. */
export interface ExecutorFault {
  readonly state: TaskState;
  readonly reason: StatusReason;
  readonly message: string;
}

/** The executor of that id that groups can be given to. */
export function livingExecutor(state: AgentState, frameworkId: string, executorId: string): Task | undefined {
  return executorsOf(state, frameworkId, executorId).find(isOpen);
}

function isOpen(task: Task): boolean {
  return task.phase !== "ended" && !task.kill;
}

/** All that had that id and are remembered: one that is being shut down may live beside its successor. */
export function executorsOf(state: AgentState, frameworkId: string, executorId: string): readonly Task[] {
  return state.executors.get(pairKey(frameworkId, executorId)) ?? [];
}

export function indexExecutor(state: AgentState, group: Group): void {
  const [task] = group.tasks;
  if (!group.executor?.isSelf || !task) return;
  const name = pairKey(group.frameworkId, group.executor.id);
  state.executors.set(name, [...(state.executors.get(name) ?? []), task]);
}

export function forgetExecutor(state: AgentState, group: Group): void {
  if (!group.executor?.isSelf) return;
  const name = pairKey(group.frameworkId, group.executor.id);
  const rest = (state.executors.get(name) ?? []).filter((task) => task.group !== group);
  if (rest.length > 0) state.executors.set(name, rest);
  else state.executors.delete(name);
}

/** What speaks against a group that is, or is given to, an executor. */
export function executorFault(state: AgentState, group: Group): ExecutorFault | undefined {
  const { executor, frameworkId } = group;
  if (!executor) return undefined;
  const living = executorsOf(state, frameworkId, executor.id).find((task) => task.group !== group && isOpen(task));
  if (group.tasks.some(({ spec }) => spec.restartPolicy))
    return wrong("spec.restart_policy: neither executors nor their tasks are started again in place");
  if (executor.isSelf) {
    if (state.config.executorSocket === "") {
      const message = "this agent serves no custom executors";
      return { state: TaskState.TASK_ERROR, reason: StatusReason.REASON_UNSUPPORTED, message };
    }
    if (!living) return undefined;
    const message = `executor ${executor.id} lives already, as task ${living.info.taskId}`;
    return { state: TaskState.TASK_DROPPED, reason: StatusReason.REASON_DUPLICATE_TASK, message };
  }
  if (!living) {
    const message = `executor ${executor.id} does not live on this agent, or is being shut down`;
    return { state: TaskState.TASK_DROPPED, reason: StatusReason.REASON_EXECUTOR_TERMINATED, message };
  }
  return servedFault(group, living);
}

function wrong(message: string): ExecutorFault {
  return { state: TaskState.TASK_ERROR, reason: StatusReason.REASON_TASK_INVALID, message };
}

function servedFault(group: Group, self: Task): ExecutorFault | undefined {
  if (group.networkMode !== "host" || group.more.length > 0)
    return wrong("network_mode: must be empty, the tasks have the network of their executor");
  if (group.tasks.some(({ spec }) => spec.networkMode !== ""))
    return wrong("spec.network_mode: must be empty, the tasks have the network of their executor");
  if (limitsOf(group.network))
    return wrong("network: the tasks share the network of their executor, whose limits stand in executor.network");
  if (group.ports.length > 0 && self.group.networkMode !== "host")
    return wrong("ports: the executor has a network of its own, whose ports stand in executor.ports");
  if (group.tasks.some(({ spec }) => spec.healthChecks.length > 0))
    return wrong("spec.health_checks: an executor tells the health of its tasks itself");
  if (group.tasks.some(({ spec }) => spec.hook !== LifecycleHook.LIFECYCLE_HOOK_UNSPECIFIED))
    return wrong("spec.hook: an executor is given all tasks of a group at once");
  return undefined;
}

/** Binds a group to the executor that it is given to. False if that is gone. */
export function bindGroup(state: AgentState, group: Group, self: Task | undefined): boolean {
  if (!self?.executor || self.phase === "ended" || !group.executor) return false;
  group.executor.selfId = self.id;
  self.executor.groups.add(group);
  self.executor.idleAtMs = undefined;
  for (const task of group.tasks) task.served ??= { self, isGiven: false, sequence: 0, pending: [] };
  return state.tasks.has(self.id);
}

/** The tasks that an executor has or is to get. Groups that have ended are let go of. */
export function livingServed(self: Task): Task[] {
  const living: Task[] = [];
  for (const group of self.executor?.groups ?? []) {
    const some = group.tasks.filter(({ phase }) => phase !== "ended");
    if (some.length === 0) self.executor?.groups.delete(group);
    living.push(...some);
  }
  return living;
}

/** Gives a recorded group to its executor, now or as soon as that is attached. */
export function giveGroup(context: Context, group: Group): void {
  group.phase = "launched";
  for (const task of group.tasks) if (task.phase === "preparing") task.phase = "starting";
  const session = group.tasks[0]?.served?.self.executor?.session;
  if (session === undefined) return;
  for (const { served } of group.tasks) if (served) served.isGiven = true;
  context.effects.push({ type: "executor-send", session, order: { type: "launch", group } });
}

/** Asks the executor for the end of a task. One that is away is asked when it is back. */
export function orderKill({ effects }: Context, task: Task): void {
  const session = task.served?.self.executor?.session;
  if (session === undefined) return;
  const order = { type: "kill", taskId: task.info.taskId, graceMs: task.kill?.graceMs ?? 0 } as const;
  effects.push({ type: "executor-send", session, order });
}

/** Asks an executor for its own end. False if it is not attached. */
export function orderShutdown({ effects }: Context, self: Task): boolean {
  const session = self.executor?.session;
  if (session === undefined) return false;
  effects.push({ type: "executor-send", session, order: { type: "shutdown" } });
  return true;
}

/** Notes since when an executor has nothing to do. */
export function settleIdle({ now }: Context, self: Task): void {
  const life = self.executor;
  if (!life) return;
  const isIdle = life.session !== undefined && self.phase === "running" && livingServed(self).length === 0;
  if (!isIdle) life.idleAtMs = undefined;
  else life.idleAtMs ??= now.monotonicMs + (self.group.executor?.idleTimeoutMs ?? 0);
}

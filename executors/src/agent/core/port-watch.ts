import { StatusReason, TaskState } from "@muster/proto";
import type { HostTask, TaskListener } from "../../world/host-ports.ts";
import { beginKill } from "./kill.ts";
import type { AgentState, Task } from "./model.ts";
import { type Context, report } from "./status.ts";
import { hasNamespace } from "./task-networks.ts";

/** What becomes of a task in the host's network that listens on a port which its group was not given. */
export type PortEnforcement = "off" | "warn" | "kill";

/** Ports of one task that are warned of: one that takes port after port would fill its queue of statuses. */
export const strayPortsToldMax = 16;

export interface PortWatch {
  /** Monotonic. */
  nextAtMs: number;
  isUnderWay: boolean;
  /** Ports that were warned of, by task. */
  readonly told: Map<string, Set<string>>;
}

/** When tasks are to be looked at next, monotonic; infinite if there is nothing to look at. O(tasks) if it is on. */
export function nextListeningMs(state: AgentState): number {
  const { config, portWatch } = state;
  if (config.enforcePorts === "off" || portWatch.isUnderWay) return Number.POSITIVE_INFINITY;
  for (const task of state.tasks.values()) if (isWatched(task)) return portWatch.nextAtMs;
  return Number.POSITIVE_INFINITY;
}

/** Asks what tasks in the host's network listen on, if it is time. O(tasks) if it is on. */
export function findListeners({ state, now, effects }: Context): void {
  const { config, portWatch } = state;
  if (nextListeningMs(state) > now.monotonicMs) return;
  const tasks: HostTask[] = [];
  for (const task of state.tasks.values())
    if (isWatched(task) && task.started) tasks.push({ id: task.id, started: task.started });
  portWatch.isUnderWay = true;
  portWatch.nextAtMs = now.monotonicMs + config.portWatchMs;
  for (const id of portWatch.told.keys()) if (!state.tasks.has(id)) portWatch.told.delete(id);
  effects.push({ type: "find-listeners", tasks });
}

/** Judges what tasks listen on. */
export function listenersFound(context: Context, found: readonly TaskListener[]): void {
  context.state.portWatch.isUnderWay = false;
  for (const listener of found) {
    const task = context.state.tasks.get(listener.id);
    if (!task || !isWatched(task) || isAllocated(task, listener)) continue;
    if (context.state.config.enforcePorts === "kill")
      beginKill(context, task, { reason: StatusReason.REASON_PORT_NOT_ALLOCATED, message: messageOf(listener) });
    else warn(context, task, listener);
  }
}

function isWatched(task: Task): boolean {
  return task.phase === "running" && !hasNamespace(task);
}

/** A custom executor listens for the groups that it serves. */
function isAllocated({ group, executor }: Task, { port, protocol }: TaskListener): boolean {
  const assigned = [group, ...(executor?.groups ?? [])].flatMap((each) => each.assigned);
  return assigned.some((each) => each.number === port && (each.protocol === "" || each.protocol === protocol));
}

/** Tells of each port once. */
function warn(context: Context, task: Task, listener: TaskListener): void {
  const { portWatch } = context.state;
  const told = portWatch.told.get(task.id) ?? new Set();
  const name = `${listener.protocol}:${listener.port}`;
  if (told.has(name) || told.size >= strayPortsToldMax) return;
  portWatch.told.set(task.id, told.add(name));
  const message = messageOf(listener);
  const taskState = task.kill ? TaskState.TASK_KILLING : TaskState.TASK_RUNNING;
  report(context, task, taskState, { reason: StatusReason.REASON_PORT_NOT_ALLOCATED, message });
  const fields = { taskId: task.info.taskId, port: listener.port, pid: listener.pid };
  context.effects.push({ type: "log", level: "warn", fields, message });
}

function messageOf({ port, protocol, pid, command }: TaskListener): string {
  return `PORT_NOT_ALLOCATED: pid ${pid} (${command}) listens on ${protocol} port ${port}, which its group was not given`;
}

import {
  addResources,
  assert,
  isNegativeResources,
  isTerminal,
  type Resources,
  resources,
  subtractResources,
} from "@muster/foundation";
import { type TaskInfo, TaskState, type TaskStatus } from "@muster/proto";
import type { Core } from "./core.ts";
import { forgetExecutor } from "./executors.ts";
import { limits } from "./limits.ts";
import type { Framework, Group, Task } from "./model.ts";
import { dropPorts, isWhole, partGiven, takePorts } from "./ports.ts";
import { countSuccessor, leaveBudget } from "./preemption/budgets.ts";
import { changeNeed } from "./set-aside/books.ts";

/** The ports of the agent's dynamic range that a group takes, as resources. */
export function groupPorts(group: { portCount: number }): Resources {
  return resources({ portCount: group.portCount });
}

/** Takes resources of an agent into use. */
export function book(core: Core, group: Group, amount: Resources): void {
  const { agent, framework, member } = group;
  agent.allocated = addResources(agent.allocated, amount);
  framework.allocated = addResources(framework.allocated, amount);
  if (group.draw === undefined) core.state.allocator.hold(member, amount, agent.counted);
  else changeNeed(core, group, addResources(group.draw.need, amount));
  agent.changeCount++;
  core.state.changedAgents.add(agent);
  core.state.changedFrameworks.add(framework);
}

function unbook(core: Core, group: Group, amount: Resources): void {
  const { agent, framework, member } = group;
  agent.allocated = subtractResources(agent.allocated, amount);
  framework.allocated = subtractResources(framework.allocated, amount);
  assert(!isNegativeResources(agent.allocated), "an agent has less than nothing in use", { agentId: agent.id });
  if (group.draw === undefined) core.state.allocator.release(member, amount, agent.counted);
  else changeNeed(core, group, subtractResources(group.draw.need, amount));
  agent.changeCount++;
  core.state.dirty.add(agent);
  core.state.changedAgents.add(agent);
  core.state.changedFrameworks.add(framework);
}

/** Puts a living task into the books of its agent and framework; its resources must be booked already. */
export function addTask(task: Task): void {
  const { agent, framework } = task.group;
  agent.tasks.add(task);
  framework.tasks.set(task.id, task);
  framework.history.delete(task.id);
  framework.liveCount++;
  task.group.liveCount++;
}

/** What the master keeps of a task: its spec is not looked at and not kept. */
export function keptResources(info: TaskInfo): Resources {
  return resources(info.resources);
}

/**
 * Gives a task a new status: the only place where a task's state changes. A terminal one frees its resources, the last
 * of a group also the group's ports. The caller has made sure that the task has not ended.
 */
export function changeStatus(core: Core, task: Task, status: TaskStatus): void {
  task.told = status;
  core.taskEvent(task);
  const { group } = task;
  if (status.state === TaskState.TASK_RUNNING && group.isSuccessor) countSuccessor(core, task);
  if (!isTerminal(status.state)) return;
  const { agent, framework } = group;
  agent.tasks.delete(task);
  agent.ended.add(task);
  if (agent.executors.size > 0) forgetExecutor(agent, task);
  framework.liveCount--;
  group.liveCount--;
  unbook(core, group, task.resources);
  if (group.liveCount > 0) return;
  freePorts(core, group);
  core.state.preemption.ending.delete(group);
  if (group.budget) leaveBudget(core.state, group.budget);
  if (group.draw) freeVolumes(core, group);
}

function freeVolumes(core: Core, group: Group): void {
  for (const volume of group.draw?.volumes ?? []) if (volume.holder === group) volume.holder = undefined;
  core.state.dirty.add(group.agent);
}

function freePorts(core: Core, group: Group): void {
  const { agent } = group;
  dropPorts(agent, group);
  if (group.portCount > 0) unbook(core, group, groupPorts(group));
}

/** Notes the numbers that the agent gave to a group. */
export function learnPorts(group: Group, status: TaskStatus): void {
  if (group.numbersKnown || group.liveCount === 0) return;
  const ports = status.container?.ports;
  if (ports === undefined || ports.length === 0) return;
  group.numbersKnown = true;
  for (const port of ports) {
    const { number } = port;
    // On an address of the group's own: none of the host's. Of one that was asked for by number all is known.
    if (number === 0 || group.numbers.includes(number)) continue;
    group.numbers = [...group.numbers, number];
    const part = partGiven(port);
    if (!isWhole(part)) group.portParts = [...group.portParts, part];
  }
  takePorts(group.agent, group);
}

/** The task is over and acknowledged: it goes into the bounded history of its framework. */
export function retire(core: Core, task: Task): void {
  const { agent, framework } = task.group;
  agent.ended.delete(task);
  task.pending = undefined;
  task.kill = undefined;
  if (framework.tasks.get(task.id) === task) framework.tasks.delete(task.id);
  framework.history.delete(task.id);
  framework.history.set(task.id, task);
  if (framework.history.size > limits.historyPerFramework) {
    const oldest = framework.history.keys().next().value as string;
    framework.history.delete(oldest);
    core.event({ taskRemoved: { frameworkId: framework.id, taskId: oldest } });
  }
}

/** Ends a task by the master's own word. The framework is told once; nothing needs to be acknowledged. */
export function endByMaster(core: Core, task: Task, status: TaskStatus): void {
  changeStatus(core, task, status);
  core.toFramework(task.group.framework, "updates", status, 160 + status.message.length);
  core.count("statuses", "master");
  retire(core, task);
}

export function findTask(framework: Framework, taskId: string): Task | undefined {
  return framework.tasks.get(taskId) ?? framework.history.get(taskId);
}

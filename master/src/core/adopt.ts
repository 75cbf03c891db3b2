import { invalid, isTerminal, type MusterError, noResources, resources } from "@muster/foundation";
import {
  type PortPart,
  type PortRequest,
  StatusReason,
  StatusSource,
  type TaskReport,
  TaskState,
  type TaskStatus,
} from "@muster/proto";
import { isWithin } from "../allocator/role.ts";
import { encodeFramework, frameworkKey } from "../registry/records.ts";
import type { Core } from "./core.ts";
import { noteExecutor } from "./executors.ts";
import { awaitFramework } from "./framework-life.ts";
import { failoverTimeoutMsDefault } from "./limits.ts";
import { type Agent, Framework, Group, type GroupPorts, Task } from "./model.ts";
import { isWhole, partAsked, takePorts } from "./ports.ts";
import { describePreemption } from "./preemption/budgets.ts";
import { sharedParts } from "./shared-parts.ts";
import { addTask, book, changeStatus, groupPorts, learnPorts, retire } from "./tasks.ts";
import { idFault, isId } from "./validate.ts";

/**
 * Takes in what an agent tells of one of its tasks at registration: tasks that this master has never heard of are
 * adopted, with their frameworks if need be. O(1).
 */
export function adoptTask(
  core: Core,
  agent: Agent,
  reported: Set<Task>,
  report: TaskReport,
  index: number,
): MusterError | undefined {
  const { task: info, status } = report;
  if (info === null || status === null || !isId(info.taskId) || !isId(report.frameworkId) || !isId(report.launchId))
    return reportFault(report, `tasks[${index}]`);
  if (core.state.completed.has(report.frameworkId) && !core.state.frameworks.has(report.frameworkId)) {
    core.toAgent(agent.connection, "frameworksRemoved", report.frameworkId, 64);
    return undefined;
  }
  const framework = core.state.frameworks.get(report.frameworkId) ?? adoptFramework(core, report);
  const known = framework.tasks.get(info.taskId);
  if (known !== undefined && known.group.launchId === report.launchId && known.group.agent === agent) {
    reported.add(known);
    refresh(core, known, report, status);
    return undefined;
  }
  // Another launch of that id is in the books: the agent will end one of the two, and say so.
  if (known !== undefined) return undefined;
  const group = groupOf(agent, framework, report) ?? newGroup(core, agent, framework, report);
  const { resources: kept, discovery, labels } = sharedParts(framework, info);
  const task = new Task(info.taskId, info.name, group, kept, discovery, labels, status.at, status);
  task.heard = true;
  task.sequence = status.sequence;
  reported.add(task);
  if (isTerminal(status.state)) {
    if (group.liveCount === 0) forgetGroup(group);
    framework.tasks.set(task.id, task);
    agent.ended.add(task);
    core.taskEvent(task);
    if (report.acknowledged) retire(core, task);
    return undefined;
  }
  if (group.liveCount === 0) {
    describePreemption(core, group, [info]);
    // Not before one of its tasks lives: what an ended one had is nobody's any more.
    recallDraw(agent, group, report);
    if (group.portCount > 0) book(core, group, groupPorts(group));
    takePorts(agent, group);
  } else if (info.priority !== undefined) group.priority = Math.max(group.priority ?? 0, info.priority);
  book(core, group, task.resources);
  addTask(task);
  if (report.executorId !== "") noteExecutor(task, report.executorId);
  learnPorts(group, status);
  core.taskEvent(task);
  return undefined;
}

function reportFault({ task, status, frameworkId, launchId }: TaskReport, field: string): MusterError | undefined {
  if (task === null) return invalid(`${field}.task`, "must be given");
  if (status === null) return invalid(`${field}.status`, "must be given");
  return (
    idFault(`${field}.task.task_id`, task.taskId) ??
    idFault(`${field}.framework_id`, frameworkId) ??
    idFault(`${field}.launch_id`, launchId)
  );
}

/** A known task is told again: its agent's word is the newest. */
function refresh(core: Core, task: Task, report: TaskReport, status: TaskStatus): void {
  task.heard = true;
  if (isTerminal(task.state)) {
    if (report.acknowledged) retire(core, task);
    return;
  }
  const returned = task.state === TaskState.TASK_UNREACHABLE;
  task.sequence = Math.max(task.sequence, status.sequence);
  learnPorts(task.group, status);
  if (isTerminal(status.state)) {
    // The numbered status follows, and is what the framework acknowledges.
    changeStatus(core, task, status);
    if (report.acknowledged) retire(core, task);
    return;
  }
  if (returned || status.state !== task.state || status.health !== task.status.health) changeStatus(core, task, status);
  if (!returned) return;
  const news: TaskStatus = {
    ...core.status(
      {
        taskId: task.id,
        launchId: report.launchId,
        frameworkId: report.frameworkId,
        agentId: task.group.agent.id,
      },
      status.state,
      StatusReason.REASON_AGENT_RETURNED,
      "the agent answers again",
    ),
    source: StatusSource.STATUS_SOURCE_MASTER,
    health: status.health,
    container: status.container,
  };
  core.toFramework(task.group.framework, "updates", news, 200);
}

/** Tasks of one launch on one agent share a group. O(tasks of the agent) only for tasks that are new to the master. */
function groupOf(agent: Agent, framework: Framework, report: TaskReport): Group | undefined {
  const group = agent.adopting?.get(report.launchId);
  if (group === undefined || group.framework === framework) return livingOr(group);
  // Two frameworks may call their launches the same.
  return livingOr(agent.adopting?.get(`${framework.id} ${report.launchId}`));
}

function livingOr(group: Group | undefined): Group | undefined {
  return group !== undefined && group.liveCount > 0 ? group : undefined;
}

function forgetGroup({ agent, framework, launchId }: Group): void {
  const isFirst = agent.adopting?.get(launchId)?.framework === framework;
  agent.adopting?.delete(isFirst ? launchId : `${framework.id} ${launchId}`);
}

function newGroup(core: Core, agent: Agent, framework: Framework, report: TaskReport): Group {
  const member = memberOf(core, framework, report.role);
  const group = new Group(report.launchId, agent, framework, member, portsOf(agent, report.ports));
  agent.adopting ??= new Map();
  const first = agent.adopting.get(report.launchId);
  const isFirst = first === undefined || first.framework === framework;
  agent.adopting.set(isFirst ? report.launchId : `${framework.id} ${report.launchId}`, group);
  return group;
}

/** What groups without ports have, shared by all of them: nothing in it is ever changed in place. */
const noPorts: GroupPorts = { portCount: 0, numbers: [], parts: [], known: true };

function portsOf(agent: Agent, asked: readonly PortRequest[]): GroupPorts {
  if (asked.length === 0) return noPorts;
  let portCount = 0;
  const numbers: number[] = [];
  const parts: PortPart[] = [];
  let known = true;
  for (const port of asked) {
    const { number } = port;
    if (number === 0) {
      portCount++;
      known = false;
      continue;
    }
    const part = partAsked(agent, port);
    if (!isWhole(part)) parts.push(part);
    if (numbers.includes(number)) continue;
    numbers.push(number);
    if (number >= agent.dynamicPortFirst && number <= agent.dynamicPortLast) portCount++;
  }
  return { portCount, numbers, parts, known };
}

/** What the group has of reservations and volumes, as far as the agent still has these. */
function recallDraw(agent: Agent, group: Group, { reserved, volumes }: TaskReport): void {
  const { setAside } = agent;
  if (setAside === undefined || (reserved.length === 0 && volumes.length === 0)) return;
  const granted = reserved.flatMap(({ reservationId, resources: amounts }) => {
    const reservation = setAside.reservations.get(reservationId);
    const is = reservation !== undefined && isWithin(group.member.role, reservation.role);
    return is ? [{ reservation, resources: resources(amounts) }] : [];
  });
  const held = volumes.flatMap(({ volumeId }) => setAside.volumes.get(volumeId) ?? []);
  const own = held.filter(({ holder }) => holder === undefined);
  for (const volume of own) volume.holder = group;
  group.draw = { granted, shares: [], need: noResources, volumes: own };
}

/** A role that the framework has left is still charged with what runs for it. */
function memberOf(core: Core, framework: Framework, role: string) {
  let member = framework.members.get(role);
  if (member === undefined) {
    member = core.state.allocator.member(framework, role);
    framework.members.set(role, member);
  }
  return member;
}

/** A framework that the registry does not know, though a task of it runs: it is known again, and may come back. */
function adoptFramework(core: Core, report: TaskReport): Framework {
  const framework = new Framework(report.frameworkId, report.frameworkName, failoverTimeoutMsDefault);
  framework.roles = [report.role];
  framework.disconnectedAt = core.epochMs;
  core.state.frameworks.set(framework.id, framework);
  core.state.changedFrameworks.add(framework);
  awaitFramework(core, framework, failoverTimeoutMsDefault);
  const value = encodeFramework(framework, 0);
  core.effects.push({ type: "store", key: frameworkKey(framework.id), value, written: undefined });
  core.log("info", { frameworkId: framework.id, name: framework.name }, "framework known again by its tasks");
  return framework;
}

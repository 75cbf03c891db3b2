import {
  addResources,
  describeShortage,
  invalid,
  isEmptyResources,
  type MusterError,
  missingResource,
  noResources,
  type Resources,
  resources,
  subtractResources,
} from "@muster/foundation";
import {
  type PortPart,
  type PortRequest,
  StatusReason,
  type TaskGroup,
  TaskState,
  type TaskStatus,
} from "@muster/proto";
import type { Core } from "./core.ts";
import { executorFault, executorGroup, livingExecutor, noteExecutor } from "./executors.ts";
import { limits } from "./limits.ts";
import { type Agent, type Framework, Group, type Member, Task } from "./model.ts";
import { holderOf, isWhole, noParts, partAsked, takePorts } from "./ports.ts";
import { describePreemption } from "./preemption/budgets.ts";
import { presentStatus } from "./reconcile.ts";
import { reservedPart } from "./records.ts";
import type { ReservedShare, Volume } from "./set-aside/model.ts";
import { takeFrom, withoutShares } from "./set-aside/shares.ts";
import { addTask, book } from "./tasks.ts";
import { groupFault, revocableFault, taskFault } from "./validate.ts";

/** Where a launch happens: one framework, one role, one agent, and what is left of the offers. */
export interface LaunchPlace {
  readonly framework: Framework;
  readonly member: Member;
  readonly agent: Agent;
  /** All of it, with what is reserved. */
  left: Resources;
  /** Of that, what is reserved, in the order in which it is used up. */
  reserved: readonly ReservedShare[];
  /** That a launch may use. */
  volumes: readonly Volume[];
}

/** Starts a group, or tells the framework of each of its tasks why it can't be. O(tasks of the group). */
export function launchGroup(core: Core, place: LaunchPlace, group: TaskGroup, field: string): void {
  const { framework, agent } = place;
  if (group.tasks.length === 0 || group.tasks.length > limits.tasksPerGroup) {
    const message = `a group has 1 to ${limits.tasksPerGroup} tasks`;
    core.refuse(framework, "accept", group.launchId, "invalid", message, `${field}.tasks`);
    for (const { taskId } of group.tasks)
      refuseTask(core, framework, agent.id, group.launchId, taskId, "invalid-group", message);
    return;
  }
  if (isRepeated(core, framework, group)) return;
  const executor = executorFor(place, group, field);
  if (executor !== undefined && "why" in executor) {
    refuseAll(core, place, group, executor);
    return;
  }
  const left = executor === undefined ? place.left : subtractResources(place.left, executor.need);
  const plan = planGroup(framework, agent, left, group, field, place.volumes);
  if ("why" in plan) {
    refuseAll(core, place, group, plan);
    return;
  }
  if (executor !== undefined) {
    place.left = left;
    startGroup(core, place, executor);
  }
  place.left = subtractResources(place.left, plan.need);
  startGroup(core, place, plan);
}

/** A group that can be started, with what it takes. */
export interface GroupPlan {
  readonly group: TaskGroup;
  readonly need: Resources;
  readonly ports: GroupPorts;
  readonly volumes: readonly Volume[];
}

export interface GroupRefusal {
  readonly why: Refused;
  readonly message: string;
  /** Path of what is wrong; empty where it is the place and not the group. */
  readonly field: string;
}

/** What a group takes of an agent, or why it can't be started on what is left there. Changes nothing. */
export function planGroup(
  framework: Framework,
  agent: Agent,
  left: Resources,
  group: TaskGroup,
  field: string,
  available: readonly Volume[],
  where = "in the offers",
): GroupPlan | GroupRefusal {
  const ports = readPorts(agent, group);
  const need = needOf(group, ports.portCount);
  const fault = findFault(framework, left, group, need, field, where);
  if (fault !== undefined) {
    const single = group.tasks.length === 1;
    const why = fault.duplicate && single ? "duplicate" : single ? "invalid" : "invalid-group";
    return { why, message: fault.error.message, field: fault.error.field ?? field };
  }
  if (ports.holder !== undefined) return { why: "port", message: ports.holder, field: "" };
  if (group.volumes.length === 0) return { group, need, ports, volumes: noVolumes };
  const volumes = findVolumes(agent, group, field, available, where);
  return "why" in volumes ? volumes : { group, need, ports, volumes };
}

/** The start of the custom executor that a group names, if it does not live on that agent yet. */
export function executorFor(place: LaunchPlace, group: TaskGroup, field: string): GroupPlan | GroupRefusal | undefined {
  const { framework, agent } = place;
  if (group.executor === null || group.isExecutor || executorFault(field, group) !== undefined) return undefined;
  const { executorId } = group.executor;
  if (livingExecutor(agent, framework.id, executorId) !== undefined) return undefined;
  const own = executorGroup(group);
  if (own === undefined) {
    const message = `executor ${executorId} does not live on ${agent.name}: say in executor.task how to start it`;
    return { why: "executor", message, field: "" };
  }
  return planGroup(framework, agent, place.left, own, `${field}.executor`, noVolumes);
}

function refuseAll(core: Core, { framework, agent }: LaunchPlace, group: TaskGroup, refusal: GroupRefusal): void {
  for (const { taskId } of group.tasks)
    refuseTask(core, framework, agent.id, group.launchId, taskId, refusal.why, refusal.message);
}

const noVolumes: readonly Volume[] = Object.freeze([]);

/** The volumes that a group names, or what is wrong with them. */
function findVolumes(
  agent: Agent,
  group: TaskGroup,
  field: string,
  available: readonly Volume[],
  where: string,
): readonly Volume[] | GroupRefusal {
  const found: Volume[] = [];
  for (const [index, { volumeId }] of group.volumes.entries()) {
    const path = `${field}.volumes[${index}].volume_id`;
    const volume = available.find(({ id }) => id === volumeId);
    if (volume !== undefined && !found.includes(volume)) {
      found.push(volume);
      continue;
    }
    const holder = agent.setAside?.volumes.get(volumeId)?.holder;
    const used = holder !== undefined && "launchId" in holder ? `: launch ${holder.launchId} uses it` : "";
    const message = volume ? `volume ${volumeId} is named twice` : `volume ${volumeId} is not ${where}${used}`;
    return { why: volume ? "invalid" : "volume", message, field: path };
  }
  return found;
}

interface GroupPorts {
  /** Ports of the dynamic range, static ones within it included. */
  portCount: number;
  numbers: readonly number[];
  /** What is asked for of those that are not to be had whole. */
  parts: readonly PortPart[];
  known: boolean;
  /** Why a static port can't be had. */
  holder: string | undefined;
}

const noPorts: GroupPorts = Object.freeze({
  portCount: 0,
  numbers: Object.freeze([]),
  parts: noParts,
  known: true,
  holder: undefined,
});

function readPorts(agent: Agent, group: TaskGroup): GroupPorts {
  if (group.ports.length === 0) return noPorts;
  const numbers: number[] = [];
  const parts: PortPart[] = [];
  const ports: GroupPorts = { portCount: 0, numbers, parts, known: true, holder: undefined };
  for (const port of group.ports) {
    const { number } = port;
    // In an overlay network ports are the task's own: the host's stay free.
    if (modeOfPort(group, port).startsWith("overlay/")) continue;
    if (number === 0) {
      ports.portCount++;
      ports.known = false;
      continue;
    }
    const part = partAsked(agent, port);
    if (!isWhole(part)) parts.push(part);
    const holder = holderOf(agent, part);
    if (!numbers.includes(number)) {
      numbers.push(number);
      if (number >= agent.dynamicPortFirst && number <= agent.dynamicPortLast) ports.portCount++;
    }
    if (holder !== undefined) ports.holder = `port ${number} of ${agent.name} is held by launch ${holder.launchId}`;
    else if (agent.foreignPorts.has(number)) ports.holder = `port ${number} of ${agent.name} is in use`;
  }
  return ports;
}

/** The mode of the network that a port is in. */
function modeOfPort(group: TaskGroup, { network = 0 }: PortRequest): string {
  return network === 0 ? group.networkMode : (group.moreNetworks[network - 1]?.mode ?? "");
}

function needOf(group: TaskGroup, portCount: number): Resources {
  let need: Resources = portCount === 0 ? noResources : resources({ portCount });
  for (const task of group.tasks) if (task.resources !== null) need = addResources(need, task.resources);
  return need;
}

function findFault(
  framework: Framework,
  left: Resources,
  group: TaskGroup,
  need: Resources,
  field: string,
  where: string,
): { error: MusterError; duplicate: boolean } | undefined {
  const broken = groupFault(field, group) ?? executorFault(field, group);
  if (broken) return { error: broken, duplicate: false };
  const labels = new Set(group.ports.map((port) => port.label));
  for (const [index, task] of group.tasks.entries()) {
    const path = `${field}.tasks[${index}]`;
    const error = taskFault(path, task, labels) ?? revocableFault(framework, `${path}.resources`, task.resources);
    if (error) return { error, duplicate: false };
    if (framework.tasks.has(task.taskId))
      return { error: invalid(`${path}.task_id`, `${task.taskId} is a task already`), duplicate: true };
    for (let other = 0; other < index; other++)
      if (group.tasks[other]?.taskId === task.taskId)
        return { error: invalid(`${path}.task_id`, `${task.taskId} is named twice`), duplicate: true };
  }
  const shortage = missingResource(need, left);
  if (shortage) return { error: invalid(field, `${describeShortage(shortage)} ${where}`), duplicate: false };
  return undefined;
}

/** Whether this very launch has been made already. */
export function isKnownLaunch(framework: Framework, group: TaskGroup): boolean {
  if (group.launchId === "" || group.tasks.length === 0) return false;
  for (const { taskId } of group.tasks)
    if (framework.tasks.get(taskId)?.group.launchId !== group.launchId) return false;
  return true;
}

/** A launch that is known already is not done twice: its tasks' present states are the answer. */
export function isRepeated(core: Core, framework: Framework, group: TaskGroup): boolean {
  if (!isKnownLaunch(framework, group)) return false;
  for (const { taskId } of group.tasks) {
    const task = framework.tasks.get(taskId);
    if (task !== undefined) core.toFramework(framework, "updates", presentStatus(core, task), 200);
  }
  return true;
}

/** Books a planned group and has it launched. */
export function startGroup(core: Core, place: LaunchPlace, { group: info, need, ports, volumes }: GroupPlan): void {
  const { framework, agent, member } = place;
  const group = new Group(info.launchId, agent, framework, member, ports);
  group.isSuccessor = true;
  describePreemption(core, group, info.tasks);
  if (place.reserved.length > 0 || volumes.length > 0) {
    const granted = takeFrom(place.reserved, need);
    place.reserved = withoutShares(place.reserved, granted);
    place.volumes = place.volumes.filter((volume) => !volumes.includes(volume));
    group.draw = { granted, shares: [], need: noResources, volumes };
    for (const volume of volumes) volume.holder = group;
  }
  book(core, group, need);
  takePorts(agent, group);
  let bytes = 64;
  for (const { taskId, name, resources: amounts, discovery, labels, spec } of info.tasks) {
    const task = new Task(
      taskId,
      name,
      group,
      askedFor(framework, amounts),
      discovery,
      labels,
      core.epochMs,
      undefined,
    );
    addTask(task);
    if (info.isExecutor) noteExecutor(task, info.executor?.executorId ?? "");
    core.taskEvent(task);
    bytes += 96 + spec.length;
  }
  const launch = {
    frameworkId: framework.id,
    frameworkName: framework.name,
    role: member.role.name,
    group: info,
    reserved: group.draw?.granted.map(reservedPart) ?? [],
  };
  core.toAgent(agent.connection, "launches", launch, bytes);
  core.count("tasks_launched", "", info.tasks.length);
}

/** A copy of what a task asks for, shared with the task before if it asked for the same. */
function askedFor(framework: Framework, amounts: Resources | null): Resources {
  const last = framework.lastAsked;
  if (
    amounts !== null &&
    amounts.cpuMillis === last.cpuMillis &&
    amounts.memoryMiB === last.memoryMiB &&
    amounts.diskMiB === last.diskMiB &&
    !hasCustom(amounts) &&
    !hasCustom(last)
  )
    return last;
  framework.lastAsked = resources(amounts);
  return framework.lastAsked;
}

function hasCustom(amounts: Resources): boolean {
  for (const _ in amounts.custom) return true;
  return false;
}

type Refused =
  | "invalid"
  | "invalid-group"
  | "duplicate"
  | "port"
  | "volume"
  | "executor"
  | "offers"
  | "earlier"
  | "away";

const reasons: Readonly<Record<Refused, { state: TaskStatus["state"]; reason: StatusReason }>> = {
  invalid: { state: TaskState.TASK_ERROR, reason: StatusReason.REASON_TASK_INVALID },
  "invalid-group": { state: TaskState.TASK_ERROR, reason: StatusReason.REASON_TASK_GROUP_INVALID },
  duplicate: { state: TaskState.TASK_ERROR, reason: StatusReason.REASON_DUPLICATE_TASK },
  port: { state: TaskState.TASK_DROPPED, reason: StatusReason.REASON_PORT_IN_USE },
  volume: { state: TaskState.TASK_DROPPED, reason: StatusReason.REASON_VOLUME_UNAVAILABLE },
  executor: { state: TaskState.TASK_DROPPED, reason: StatusReason.REASON_EXECUTOR_TERMINATED },
  offers: { state: TaskState.TASK_DROPPED, reason: StatusReason.REASON_INVALID_OFFERS },
  earlier: { state: TaskState.TASK_DROPPED, reason: StatusReason.REASON_EARLIER_OPERATION },
  away: { state: TaskState.TASK_DROPPED, reason: StatusReason.REASON_AGENT_DISCONNECTED },
};

/** Tells the framework that a task will not start. It never got into the books. */
export function refuseTask(
  core: Core,
  framework: Framework,
  agentId: string,
  launchId: string,
  taskId: string,
  why: Refused,
  message: string,
): void {
  const { state, reason } = reasons[why];
  const status = core.status({ taskId, launchId, frameworkId: framework.id, agentId }, state, reason, message);
  core.count("tasks_refused", why);
  core.toFramework(framework, "updates", status, 160 + message.length);
}

/** Answers every task of a group that can't even be looked at, unless it is there already. */
export function refuseGroup(core: Core, framework: Framework, group: TaskGroup, why: Refused, message: string): void {
  if (isRepeated(core, framework, group)) return;
  for (const { taskId } of group.tasks) refuseTask(core, framework, "", group.launchId, taskId, why, message);
}

/** Whether anything is left that could be refused or offered again. */
export function isNothing(amount: Resources): boolean {
  return isEmptyResources(amount);
}

import {
  codecOf,
  furtherNetworks,
  type GroupVolume,
  groupNetwork,
  type HealthCheck,
  type TaskGroup as LaunchGroup,
  type Need,
  networkConstraints,
  type ServiceEndpoint,
  type TaskInfo,
  type TaskSpec,
  taskFiles,
  taskLife,
} from "@muster/framework-sdk";
import {
  groupBudget,
  groupNeed,
  interpolate,
  type Job,
  knownReference,
  mainTask,
  portRequests,
  type Service,
  type Task,
  type TaskGroup,
  taskAmounts,
  taskDescription,
  taskLifeOf,
} from "@muster/jobspecs";
import { healthChecks, servicePortLabel } from "./checks.ts";
import { idPrefix, makeTaskId } from "./ids.ts";

/** Which instance is to be built. */
export interface InstanceRef {
  readonly index: number;
  readonly version: number;
  readonly instanceId: string;
  readonly launchId: string;
  /** Volumes of its place. */
  readonly volumes: readonly GroupVolume[];
  readonly files: LaunchFiles;
}

/** Whose files an instance takes over, and who may have its own; as in the contract. */
export type LaunchFiles = Pick<
  LaunchGroup,
  "predecessorLaunchId" | "predecessorAddress" | "predecessorToken" | "filesToken"
>;

/** What an agent is given to start one instance of a group. */
export function buildLaunch(job: Job, group: TaskGroup, ref: InstanceRef): LaunchGroup {
  const prefix = idPrefix(job.id, group.name);
  const single = group.tasks.length === 1;
  return {
    launchId: ref.launchId,
    tasks: group.tasks.map((task, ordinal) => {
      const taskId = makeTaskId(prefix, ref.index, ref.instanceId, single ? undefined : ordinal);
      return taskInfo(job, group, task, ordinal, taskId, ref);
    }),
    ports: portRequests(group),
    networkMode: group.network.mode,
    network: groupNetwork(group.network),
    moreNetworks: furtherNetworks(group.network),
    executor: null,
    isExecutor: false,
    volumes: [...ref.volumes],
    ...ref.files,
  };
}

/** What one instance of a group needs of an agent. */
export function needOf(job: Job, group: TaskGroup): Need {
  const need = groupNeed(job, group);
  return { ...need, constraints: [...need.constraints, ...networkConstraints(group.network)] };
}

function taskInfo(job: Job, group: TaskGroup, task: Task, ordinal: number, taskId: string, ref: InstanceRef): TaskInfo {
  const services = servicesOf(group, task, ordinal);
  const checks = healthChecks(group, ordinal);
  const amounts = taskAmounts(task);
  return {
    taskId,
    name: task.name,
    resources: amounts,
    discovery: { endpoints: endpoints(job, group, task, ordinal, services, ref.index) },
    labels: {
      job: job.id.slice(0, 255),
      group: group.name.slice(0, 255),
      task: task.name.slice(0, 255),
      index: String(ref.index),
      version: String(ref.version),
      // DNS names a task with checks only once they pass.
      "muster.checks": String(checks.length),
    },
    spec: codecOf("TaskSpec").encode(taskSpec(job, group, task, checks, ref.index)),
    priority: job.priority,
    ...groupBudget(job, group),
  };
}

/** A group's services are its leader's, or its first task's. */
function servicesOf(group: TaskGroup, task: Task, ordinal: number): readonly Service[] {
  return ordinal === mainTask(group) ? [...group.services, ...task.services] : task.services;
}

/** Which tasks of a group have health checks, in order. */
export function checkedTasks(group: TaskGroup): readonly boolean[] {
  return group.tasks.map((_, ordinal) => healthChecks(group, ordinal).length > 0);
}

function endpoints(
  job: Job,
  group: TaskGroup,
  task: Task,
  ordinal: number,
  services: readonly Service[],
  index: number,
): ServiceEndpoint[] {
  const fill = (text: string): string =>
    interpolate(text, (reference) => knownReference(job, group, task, index, reference));
  const made = services.map((service) => ({
    name: fill(service.name),
    portLabel: servicePortLabel(service, group) ?? "",
    protocol: "tcp",
    tags: service.tags.map(fill),
    meta: { ...service.meta },
  }));
  if (made.length > 0 || ordinal !== mainTask(group)) return made;
  const hasServices = group.services.length > 0 || group.tasks.some((one) => one.services.length > 0);
  if (hasServices) return made;
  // A job that names no service is found by its own name.
  const name = job.groups.length === 1 ? job.id : `${job.id}-${group.name}`;
  const labels = group.network.ports.map((port) => port.label);
  return (labels.length > 0 ? labels : [""]).map((portLabel) => ({
    name,
    portLabel,
    protocol: "tcp",
    tags: [],
    meta: {},
  }));
}

function taskSpec(job: Job, group: TaskGroup, task: Task, checks: HealthCheck[], index: number): TaskSpec {
  const awayMs = group.disconnect?.stopOnClientAfterMs;
  return {
    ...taskDescription(job, group, task, index),
    healthChecks: checks,
    runTimeMsMax: 0,
    dispatchPayload: null,
    ...(awayMs === undefined ? {} : { stopAfterAwayMs: awayMs }),
    ...taskFiles(task),
    ...taskLife(taskLifeOf(job.type, group, task)),
  };
}

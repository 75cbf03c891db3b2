import {
  attr,
  codecOf,
  groupNetwork,
  type HealthCheck,
  type TaskGroup as LaunchGroup,
  type Need,
  networkConstraints,
  type PlacementConstraint,
  type Resources,
  resources,
  type ServiceEndpoint,
  type TaskInfo,
  type TaskSpec,
  taskLife,
} from "@muster/framework-sdk";
import {
  driverConfigJson,
  hasOwnPorts,
  interpolate,
  type Job,
  type Service,
  type Task,
  type TaskGroup,
  taskLifeOf,
} from "@muster/jobspecs";
import { healthChecks, mainTask, servicePortLabel } from "./checks.ts";
import { idPrefix, makeTaskId } from "./ids.ts";

/** Which instance is to be built. */
export interface InstanceRef {
  readonly index: number;
  readonly version: number;
  readonly instanceId: string;
  readonly launchId: string;
}

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
    ports: group.network.ports.map(({ label, static: number = 0, to = 0, hostNetwork = "" }) => ({
      label,
      number,
      to: Math.max(to, 0),
      protocol: "",
      hostNetwork,
    })),
    networkMode: group.network.mode,
    network: groupNetwork(group.network),
    executor: null,
    isExecutor: false,
  };
}

/** What one instance of a group needs of an agent. */
export function needOf(job: Job, group: TaskGroup): Need {
  const total = { cpuMillis: 0, memoryMiB: 0, diskMiB: 0 };
  for (const { resources: amounts } of group.tasks) {
    total.cpuMillis += amounts.cpuMillis;
    total.memoryMiB += amounts.memoryMiB;
    total.diskMiB += amounts.diskMiB;
  }
  // Ports on an address of the group's own take none of the agent's.
  const ports = hasOwnPorts(group.network.mode) ? [] : group.network.ports;
  const staticPorts = ports.flatMap((port) => (port.static === undefined ? [] : [port.static]));
  return {
    resources: resources(total),
    dynamicPortCount: ports.length - staticPorts.length,
    staticPorts,
    constraints: [
      ...poolConstraints(job),
      ...job.constraints,
      ...group.constraints,
      ...networkConstraints(group.network),
      ...group.tasks.flatMap((task) => task.constraints),
    ],
    drivers: [...new Set(group.tasks.map((task) => task.driver))],
    networkMode: group.network.mode,
  };
}

/** Data centres and node pools are constraints with a notation of their own. */
function poolConstraints(job: Job): PlacementConstraint[] {
  const constraints: PlacementConstraint[] = [];
  if (job.datacenters.length > 0 && !job.datacenters.includes("*")) {
    const forms = job.datacenters.map((glob) => glob.replace(/[.+^${}()|[\]\\?]/g, "\\$&").replaceAll("*", ".*"));
    constraints.push(attr("node.datacenter").matches(`^(${forms.join("|")})$`));
  }
  if (job.nodePool !== "" && job.nodePool !== "default" && job.nodePool !== "all")
    constraints.push(attr("node.pool").is(job.nodePool));
  return constraints;
}

function taskInfo(job: Job, group: TaskGroup, task: Task, ordinal: number, taskId: string, ref: InstanceRef): TaskInfo {
  const services = servicesOf(group, task, ordinal);
  const checks = healthChecks(group, ordinal);
  const amounts: Resources = resources(task.resources);
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
  }));
  if (made.length > 0 || ordinal !== mainTask(group)) return made;
  const hasServices = group.services.length > 0 || group.tasks.some((one) => one.services.length > 0);
  if (hasServices) return made;
  // A job that names no service is found by its own name.
  const name = job.groups.length === 1 ? job.id : `${job.id}-${group.name}`;
  const labels = group.network.ports.map((port) => port.label);
  return (labels.length > 0 ? labels : [""]).map((portLabel) => ({ name, portLabel, protocol: "tcp", tags: [] }));
}

/** What is known of an instance before it has an agent. */
function knownReference(job: Job, group: TaskGroup, task: Task, index: number, reference: string): string | undefined {
  const name = /^(?:NOMAD|MUSTER)_(.+)$/.exec(reference)?.[1];
  switch (name) {
    case "JOB_NAME":
      return job.name;
    case "JOB_ID":
      return job.id;
    case "GROUP_NAME":
      return group.name;
    case "TASK_NAME":
      return task.name;
    case "ALLOC_INDEX":
      return String(index);
    case "REGION":
      return job.region;
    default:
      return name?.startsWith("META_") ? task.meta[name.slice("META_".length)] : undefined;
  }
}

function taskSpec(job: Job, group: TaskGroup, task: Task, checks: HealthCheck[], index: number): TaskSpec {
  return {
    driver: task.driver,
    command: task.config.command,
    arguments: [...task.config.args],
    environment: { ...task.env },
    user: task.user ?? "",
    killPolicy: { signal: task.killSignal, graceMs: task.killTimeoutMs },
    logPolicy: { fileBytesMax: task.logs.fileSizeMiB * 1024 * 1024, filesMax: task.logs.fileCount },
    healthChecks: checks,
    runTimeMsMax: 0,
    driverConfigJson: driverConfigJson(task),
    memoryMiBMax: task.resources.memoryMiBMax ?? 0,
    ...(task.resources.cpuMillisMax === undefined ? {} : { cpuMillisMax: task.resources.cpuMillisMax }),
    jobName: job.id,
    groupName: group.name,
    instanceIndex: index,
    meta: { ...task.meta },
    ...taskLife(taskLifeOf(job.type, group, task)),
  };
}

import {
  codecOf,
  groupNetwork,
  type Need,
  networkConstraints,
  type PlacementConstraint,
  resources,
  type ServiceEndpoint,
  type TaskInfo,
  taskLife,
} from "@muster/framework-sdk";
import {
  driverConfigJson,
  hasOwnPorts,
  interpolate,
  type Job,
  type Task,
  type TaskGroup,
  taskLifeOf,
} from "@muster/jobspecs";
import { healthChecks, mainTask, portLabelOf } from "./checks.ts";
import { launchIdOf, taskIdOf } from "./ids.ts";
import type { Instance, LaunchGroup, Run } from "./model.ts";

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
      ...whereConstraints(job),
      ...job.constraints,
      ...group.constraints,
      ...networkConstraints(group.network),
      ...group.tasks.flatMap((task) => task.constraints),
    ],
    drivers: [...new Set(group.tasks.map((task) => task.driver))],
    networkMode: group.network.mode,
  };
}

/** What an agent is given to start an instance. */
export function launchGroup(job: Job, run: Run, instance: Instance): LaunchGroup {
  const group = groupOf(job, instance);
  return {
    launchId: launchIdOf(job.id, run, instance),
    tasks: group.tasks.map((task, ordinal) => taskInfo(job, group, task, run, instance, ordinal)),
    ports: group.network.ports.map((port) => ({
      label: port.label,
      number: port.static ?? 0,
      to: Math.max(port.to ?? 0, 0),
      protocol: "",
      hostNetwork: port.hostNetwork ?? "",
    })),
    networkMode: group.network.mode,
    network: groupNetwork(group.network),
    executor: null,
    isExecutor: false,
  };
}

/** The group of an instance. */
export function groupOf(job: Job, instance: Instance): TaskGroup {
  const group = job.groups[instance.groupIndex];
  if (!group) throw new RangeError(`job ${job.id} has no group ${instance.groupIndex}`);
  return group;
}

/** Data centres and node pools are constraints in a notation of their own. */
function whereConstraints(job: Job): PlacementConstraint[] {
  const constraints: PlacementConstraint[] = [];
  if (job.datacenters.length > 0 && !job.datacenters.includes("*")) {
    const forms = job.datacenters.map((glob) => glob.replace(/[.+?^${}()|[\]\\]/g, "\\$&").replaceAll("*", ".*"));
    // biome-ignore lint/suspicious/noTemplateCurlyInString: a reference that agents resolve
    constraints.push({ attribute: "${node.datacenter}", operator: "regexp", value: `^(?:${forms.join("|")})$` });
  }
  if (!["", "default", "all"].includes(job.nodePool))
    // biome-ignore lint/suspicious/noTemplateCurlyInString: a reference that agents resolve
    constraints.push({ attribute: "${node.pool}", operator: "=", value: job.nodePool });
  return constraints;
}

function taskInfo(job: Job, group: TaskGroup, task: Task, run: Run, instance: Instance, ordinal: number): TaskInfo {
  const services = ordinal === mainTask(group) ? [...group.services, ...task.services] : task.services;
  const checks = healthChecks(group, ordinal);
  const fill = (text: string): string => interpolate(text, (name) => knownReference(job, group, task, name));
  const endpoints: ServiceEndpoint[] = services.map((service) => ({
    name: fill(service.name),
    portLabel: portLabelOf(service, group),
    protocol: "tcp",
    tags: service.tags.map(fill),
  }));
  // A run is found by its job's name while it runs.
  if (endpoints.length === 0) endpoints.push({ name: job.id, portLabel: "", protocol: "", tags: [] });
  return {
    taskId: taskIdOf(job.id, run, instance, ordinal),
    name: task.name,
    resources: resources(task.resources),
    discovery: { endpoints },
    labels: {
      job: job.id.slice(0, 255),
      group: group.name.slice(0, 255),
      task: task.name.slice(0, 255),
      index: String(instance.index),
      version: String(run.version),
      run: run.key,
      "muster.checks": String(checks.length),
    },
    spec: codecOf("TaskSpec").encode({
      driver: task.driver,
      command: task.config.command,
      arguments: [...task.config.args],
      environment: { ...task.env },
      user: task.user ?? "",
      killPolicy: { signal: task.killSignal, graceMs: task.killTimeoutMs },
      logPolicy: { fileBytesMax: task.logs.fileSizeMiB * 1024 * 1024, filesMax: task.logs.fileCount },
      healthChecks: checks,
      runTimeMsMax: group.runMsMax ?? 0,
      driverConfigJson: driverConfigJson(task),
      memoryMiBMax: task.resources.memoryMiBMax ?? 0,
      ...(task.resources.cpuMillisMax === undefined ? {} : { cpuMillisMax: task.resources.cpuMillisMax }),
      jobName: job.id,
      groupName: group.name,
      instanceIndex: instance.index,
      meta: { ...task.meta },
      ...taskLife(taskLifeOf(job.type, group, task)),
    }),
  };
}

/** What is known of a task before it has an agent. */
function knownReference(job: Job, group: TaskGroup, task: Task, reference: string): string | undefined {
  const name = /^(?:NOMAD|MUSTER)_(.+)$/.exec(reference)?.[1];
  if (name === "JOB_NAME") return job.name;
  if (name === "JOB_ID") return job.id;
  if (name === "GROUP_NAME") return group.name;
  if (name === "TASK_NAME") return task.name;
  return name?.startsWith("META_") ? task.meta[name.slice("META_".length)] : undefined;
}

import {
  codecOf,
  furtherNetworks,
  groupNetwork,
  type Need,
  networkConstraints,
  type ServiceEndpoint,
  type TaskInfo,
  type TaskSpec,
  taskFiles,
  taskLife,
} from "@muster/framework-sdk";
import {
  dispatchParent,
  groupBudget,
  groupNeed,
  interpolate,
  type Job,
  knownReference,
  mainTask,
  portRequests,
  type Task,
  type TaskGroup,
  taskAmounts,
  taskDescription,
  taskLifeOf,
} from "@muster/jobspecs";
import { healthChecks, portLabelOf } from "./checks.ts";
import { launchIdOf, taskIdOf } from "./ids.ts";
import type { Dispatch, Instance, LaunchGroup, Run } from "./model.ts";

/** What one instance of a group needs of an agent. */
export function needOf(job: Job, group: TaskGroup): Need {
  const need = groupNeed(job, group);
  return { ...need, constraints: [...need.constraints, ...networkConstraints(group.network)] };
}

/** What an agent is given to start an instance. */
export function launchGroup(job: Job, run: Run, instance: Instance, dispatch?: Dispatch): LaunchGroup {
  const group = groupOf(job, instance);
  return {
    launchId: launchIdOf(job.id, run, instance),
    tasks: group.tasks.map((task, ordinal) => taskInfo(job, group, task, run, instance, ordinal, dispatch)),
    ports: portRequests(group),
    networkMode: group.network.mode,
    network: groupNetwork(group.network),
    moreNetworks: furtherNetworks(group.network),
    executor: null,
    isExecutor: false,
    volumes: [],
  };
}

/** The group of an instance. */
export function groupOf(job: Job, instance: Instance): TaskGroup {
  const group = job.groups[instance.groupIndex];
  if (!group) throw new RangeError(`job ${job.id} has no group ${instance.groupIndex}`);
  return group;
}

function taskInfo(
  job: Job,
  group: TaskGroup,
  task: Task,
  run: Run,
  instance: Instance,
  ordinal: number,
  dispatch: Dispatch | undefined,
): TaskInfo {
  const services = ordinal === mainTask(group) ? [...group.services, ...task.services] : task.services;
  const checks = healthChecks(group, ordinal);
  const fill = (text: string): string =>
    interpolate(text, (name) => knownReference(job, group, task, instance.index, name));
  const endpoints: ServiceEndpoint[] = services.map((service) => ({
    name: fill(service.name),
    portLabel: portLabelOf(service, group),
    protocol: "tcp",
    tags: service.tags.map(fill),
    meta: { ...service.meta },
  }));
  // A run is found by its job's name while it runs, a dispatch by that of the parameterized job.
  const name = dispatchParent(job.id) ?? job.id;
  if (endpoints.length === 0) endpoints.push({ name, portLabel: "", protocol: "", tags: [], meta: {} });
  return {
    taskId: taskIdOf(job.id, run, instance, ordinal),
    name: task.name,
    resources: taskAmounts(task),
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
      ...taskDescription(job, group, task, instance.index),
      healthChecks: checks,
      runTimeMsMax: group.runMsMax ?? 0,
      dispatchPayload: payloadOf(task, dispatch),
      ...(group.disconnect?.stopOnClientAfterMs === undefined
        ? {}
        : { stopAfterAwayMs: group.disconnect.stopOnClientAfterMs }),
      ...taskFiles(task),
      ...taskLife(taskLifeOf(job.type, group, task)),
    }),
    priority: job.priority,
    ...groupBudget(job, group),
  };
}

/** The file in which a task finds what its dispatch brought, if that brought anything. */
function payloadOf({ dispatchPayload }: Task, dispatch: Dispatch | undefined): TaskSpec["dispatchPayload"] {
  if (!dispatchPayload || !dispatch || dispatch.payloadBase64 === "") return null;
  return { file: dispatchPayload.file, contentBase64: dispatch.payloadBase64 };
}

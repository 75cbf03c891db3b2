import { addResources, noResources, type Resources, resources, withRevocable } from "@muster/foundation";
import { driverConfigJson } from "./driver-config.ts";
import { dispatchParent } from "./parameterized.ts";
import type { Affinity, PlacementPolicy, Spread } from "./preferences.ts";
import { type Constraint, hasOwnPorts, type Job, modeOfPort, type Task, type TaskGroup } from "./types.ts";
import { hostMounts, ownMounts, volumeConstraints } from "./volumes.ts";

/** What one instance of a group needs of an agent. */
export interface GroupNeed {
  /** Of all tasks together, without ports. */
  readonly resources: Resources;
  /** How many ports of the agent's dynamic range. */
  readonly dynamicPortCount: number;
  /** Host ports by number: on every address, or on that of one network of the host. */
  readonly staticPorts: readonly (number | { readonly number: number; readonly hostNetwork: string })[];
  readonly constraints: readonly Constraint[];
  /** Each by name, or several of which one will do. */
  readonly drivers: readonly (string | readonly string[])[];
  readonly networkModes: readonly string[];
  readonly affinities: readonly Affinity[];
  readonly spreads: readonly Spread[];
  /** How many instances there are to be. */
  readonly wantedCount: number;
  readonly policy?: PlacementPolicy;
}

/** What one task takes of an agent, without ports: its processor firmly, or of what the agent lends. */
export function taskAmounts({ resources: { cpuMillis, memoryMiB, diskMiB, isRevocable } }: Task): Resources {
  return isRevocable === true
    ? withRevocable(resources({ memoryMiB, diskMiB }), cpuMillis)
    : resources({ cpuMillis, memoryMiB, diskMiB });
}

/** Adds up what the tasks of a group ask for. O(tasks, ports and constraints). */
export function groupNeed(job: Job, group: TaskGroup): GroupNeed {
  let total = noResources;
  for (const task of group.tasks) total = addResources(total, taskAmounts(task));
  // Ports on an address of the group's own take none of the agent's.
  const { network } = group;
  const ports = network.ports.filter((port) => !hasOwnPorts(modeOfPort(network, port)));
  const staticPorts = ports.flatMap(({ static: number, hostNetwork }) => {
    if (number === undefined) return [];
    return [hostNetwork === undefined ? number : { number, hostNetwork }];
  });
  const constraints = [
    ...poolConstraints(job),
    ...job.constraints,
    ...group.constraints,
    ...group.tasks.flatMap((task) => task.constraints),
    ...volumeConstraints(group),
  ];
  return {
    resources: total,
    dynamicPortCount: ports.length - staticPorts.length,
    staticPorts,
    constraints,
    drivers: [...new Map(group.tasks.map((task) => [String(driverNeed(task)), driverNeed(task)])).values()],
    networkModes: [network.mode, ...(network.more ?? []).map(({ mode }) => mode)],
    affinities: [job, group, ...group.tasks].flatMap((part) => part.affinities ?? []),
    spreads: [job, group].flatMap((part) => part.spreads ?? []),
    wantedCount: group.count,
    ...(job.placement ? { policy: job.placement } : {}),
  };
}

/** The agent settles which of several it is. An Engine has no images that lie on the agent's disk. */
function driverNeed({ driver, config }: Task): string | readonly string[] {
  if (driver !== "docker") return driver;
  return /^(oci|oci-archive|docker-archive):/.test(config.image?.name ?? "") ? "oci" : ["docker", "oci"];
}

/** Data centres and node pools are constraints in a notation of their own. */
function poolConstraints({ datacenters, nodePool }: Job): Constraint[] {
  const constraints: Constraint[] = [];
  if (datacenters.length > 0 && !datacenters.includes("*")) {
    const forms = datacenters.map((glob) => glob.replace(/[.+?^${}()|[\]\\]/g, "\\$&").replaceAll("*", ".*"));
    // biome-ignore lint/suspicious/noTemplateCurlyInString: a reference that is resolved for each agent
    constraints.push({ attribute: "${node.datacenter}", operator: "regexp", value: `^(?:${forms.join("|")})$` });
  }
  if (!["", "default", "all"].includes(nodePool))
    // biome-ignore lint/suspicious/noTemplateCurlyInString: a reference that is resolved for each agent
    constraints.push({ attribute: "${node.pool}", operator: "=", value: nodePool });
  return constraints;
}

/** The ports of a group as a launch asks for them. `number` 0: the agent chooses; `to` 0: the same inside. */
export function portRequests({ network }: TaskGroup) {
  return network.ports.map(({ label, static: number = 0, to = 0, hostNetwork = "", network: place }) => ({
    label,
    number,
    to: Math.max(to, 0),
    protocol: "",
    hostNetwork,
    ...(place === undefined ? {} : { network: place }),
  }));
}

/** What of a task's description follows from the job alone, in the contract's words (`TaskSpec`). */
export function taskDescription(job: Job, group: TaskGroup, task: Task, instanceIndex: number) {
  const { cpuMillisMax, memoryMiBMax = 0, ioMiBPerSecondMax } = task.resources;
  return {
    driver: task.driver,
    command: task.config.command,
    arguments: [...task.config.args],
    environment: { ...namesOfJob(job), ...task.env },
    user: task.user ?? "",
    killPolicy: { signal: task.killSignal, graceMs: task.killTimeoutMs },
    logPolicy: { fileBytesMax: task.logs.fileSizeMiB * 1024 * 1024, filesMax: task.logs.fileCount },
    driverConfigJson: driverConfigJson(task),
    memoryMiBMax,
    ...(cpuMillisMax === undefined ? {} : { cpuMillisMax }),
    ...(ioMiBPerSecondMax === undefined ? {} : { ioMiBPerSecondMax }),
    jobName: job.id,
    groupName: group.name,
    instanceIndex,
    meta: { ...task.meta },
    networkMode: task.network?.mode ?? "",
    hostMounts: hostMounts(group, task),
    ...ownMounts(group, task),
    artifacts: (task.artifacts ?? []).map((one) => ({
      ...one,
      options: { ...one.options },
      headers: { ...one.headers },
    })),
  };
}

/** What an agent is not told of a job: its role, and of a dispatch of a parameterized job that one. */
function namesOfJob({ id, role }: Job): Record<string, string> {
  const parent = dispatchParent(id);
  return {
    ...{ NOMAD_NAMESPACE: role, MUSTER_NAMESPACE: role },
    ...(parent === undefined ? {} : { NOMAD_JOB_PARENT_ID: parent, MUSTER_JOB_PARENT_ID: parent }),
  };
}

/** What a reference of a task's names stands for before it has an agent; undefined: that is not known then. */
export function knownReference(job: Job, group: TaskGroup, task: Task, index: number, reference: string) {
  const name = /^(?:NOMAD|MUSTER)_(.+)$/.exec(reference)?.[1];
  switch (name) {
    case "JOB_NAME":
      return job.name;
    case "JOB_ID":
      return job.id;
    case "JOB_PARENT_ID":
      return dispatchParent(job.id) ?? "";
    case "GROUP_NAME":
      return group.name;
    case "TASK_NAME":
      return task.name;
    case "ALLOC_INDEX":
      return String(index);
    case "REGION":
      return job.region;
    case "NAMESPACE":
      return job.role;
    default:
      return name?.startsWith("META_") ? task.meta[name.slice("META_".length)] : undefined;
  }
}

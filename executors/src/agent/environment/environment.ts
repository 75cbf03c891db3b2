import type { Network } from "../../networks/network.ts";
import { taskVolumes } from "../../volumes/task-volumes.ts";
import { recoveryTimeoutMs } from "../core/executor-model.ts";
import { graceMsDefault } from "../core/kill.ts";
import type { CoreConfig, Task } from "../core/model.ts";
import { ipsAt, networkOfPort } from "../core/places.ts";
import { taskFolders } from "../folders.ts";

/** Where the folder of the agent's socket is found in a container. */
export const socketFolderInside = "/run/muster";

const fixedNames = [
  "ALLOC_ID",
  "ALLOC_NAME",
  "SHORT_ALLOC_ID",
  "TASK_NAME",
  "GROUP_NAME",
  "JOB_ID",
  "JOB_NAME",
  "ALLOC_INDEX",
  "ALLOC_DIR",
  "TASK_DIR",
  "SECRETS_DIR",
  "MEMORY_LIMIT",
  "MEMORY_MAX_LIMIT",
  "CPU_LIMIT",
  "DC",
  "REGION",
] as const;
type FixedName = (typeof fixedNames)[number];

/** What every task finds, under both names. Made once: to put them together for each task costs more than all else here. */
const fixedVariables = fixedNames.map((name) => ({ name, nomad: `NOMAD_${name}`, muster: `MUSTER_${name}` }));

/** Where a task finds its folders, if not at their places on the host. */
export interface FoldersInside {
  readonly shared: string;
  readonly local: string;
  readonly secrets: string;
  readonly home: string;
  /** In place of the agent's own PATH and the like. Absent: those. */
  readonly environment?: Readonly<Record<string, string>>;
}

/**
 * What a task finds in its environment, before interpolation: the agent's PATH, what names the task (once as MUSTER_,
 * once as NOMAD_ for jobs written for Nomad), and what its description asks for, which wins.
 */
export function taskEnvironment(
  task: Task,
  config: CoreConfig,
  first: Network,
  inside?: FoldersInside,
): Record<string, string> {
  const { info, spec, group } = task;
  const onHost = taskFolders(config.dataFolder, task.id);
  const folders = inside ?? { ...onHost, home: onHost.work };
  // Who makes a container from an image gives it the home of its account.
  const environment: Record<string, string> = inside?.environment
    ? { ...inside.environment }
    : { ...config.taskEnvironment, HOME: folders.home };
  const own: Readonly<Record<FixedName, string>> = {
    ALLOC_ID: info.taskId,
    ALLOC_NAME: `${spec.jobName}.${spec.groupName}[${spec.instanceIndex}]`,
    SHORT_ALLOC_ID: info.taskId.slice(-8),
    TASK_NAME: info.name,
    GROUP_NAME: spec.groupName,
    JOB_ID: spec.jobName,
    JOB_NAME: spec.jobName,
    ALLOC_INDEX: String(spec.instanceIndex),
    ALLOC_DIR: folders.shared,
    TASK_DIR: folders.local,
    SECRETS_DIR: folders.secrets,
    MEMORY_LIMIT: String(info.resources?.memoryMiB ?? 0),
    MEMORY_MAX_LIMIT: String(Number(spec.memoryMiBMax) || (info.resources?.memoryMiB ?? 0)),
    CPU_LIMIT: String(info.resources?.cpuMillis ?? 0),
    DC: config.attributes["node.datacenter"] ?? "",
    REGION: config.attributes["node.region"] ?? "",
  };
  for (const { name, nomad, muster } of fixedVariables) {
    environment[nomad] = own[name];
    environment[muster] = own[name];
  }
  const add = (name: string, value: string): void => {
    environment[`NOMAD_${name}`] = value;
    environment[`MUSTER_${name}`] = value;
  };
  for (const { name, inside: path } of taskVolumes(task, config))
    add(`VOLUME_${identifier(name)}`, inside ? path : `${onHost.work}${path}`);
  for (const port of group.assigned) {
    const network = networkOfPort(group, port) ?? first;
    const [ownIp] = ipsAt(group, port.network ?? 0);
    const label = identifier(port.label);
    // Where its ports are its own, a task is reached at them from everywhere.
    const reached = network.hasOwnPorts ? network.portInside(port) : port.number;
    add(`PORT_${label}`, String(network.portInside(port)));
    add(`HOST_PORT_${label}`, String(reached));
    add(`IP_${label}`, port.ip);
    add(`HOST_IP_${label}`, port.ip);
    add(`ADDR_${label}`, joinAddress(port.ip, reached));
    add(`HOST_ADDR_${label}`, joinAddress(port.ip, reached));
    if (ownIp === undefined) continue;
    add(`ALLOC_IP_${label}`, ownIp);
    add(`ALLOC_PORT_${label}`, String(network.portInside(port)));
    add(`ALLOC_ADDR_${label}`, joinAddress(ownIp, network.portInside(port)));
  }
  for (const [name, value] of Object.entries(spec.meta)) {
    add(`META_${identifier(name)}`, value);
    add(`META_${identifier(name).toUpperCase()}`, value);
  }
  environment["MUSTER_AGENT_ID"] = config.agentId;
  environment["MUSTER_TASK_ID"] = info.taskId;
  if (group.executor?.isSelf) Object.assign(environment, executorEnvironment(task, config, folders, inside));
  return Object.assign(environment, spec.environment);
}

/** What a custom executor needs to attach to its agent. */
function executorEnvironment(
  { group, spec }: Task,
  config: CoreConfig,
  folders: { readonly home: string },
  inside: FoldersInside | undefined,
): Record<string, string> {
  const { executor, frameworkId } = group;
  return {
    MUSTER_EXECUTOR_ID: executor?.id ?? "",
    MUSTER_FRAMEWORK_ID: frameworkId,
    MUSTER_EXECUTOR_TOKEN: executor?.token ?? "",
    MUSTER_AGENT_SOCKET: inside ? `${socketFolderInside}/${socketName(config.executorSocket)}` : config.executorSocket,
    MUSTER_SANDBOX: folders.home,
    MUSTER_RECOVERY_TIMEOUT_MS: String(recoveryTimeoutMs),
    MUSTER_SHUTDOWN_GRACE_MS: String(spec.killPolicy?.graceMs ?? graceMsDefault),
  };
}

/** Where the socket lies on the host: its folder stays when the agent makes it anew. */
export function socketFolder({ executorSocket }: CoreConfig): string {
  return executorSocket.slice(0, executorSocket.lastIndexOf("/"));
}

function socketName(path: string): string {
  return path.slice(path.lastIndexOf("/") + 1);
}

/** Labels may hold characters that no shell takes for a name. */
function identifier(label: string): string {
  return label.replace(/[^A-Za-z0-9_]/g, "_");
}

function joinAddress(ip: string, port: number): string {
  return ip.includes(":") ? `[${ip}]:${port}` : `${ip}:${port}`;
}

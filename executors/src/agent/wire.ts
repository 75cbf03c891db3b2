import { isIP } from "node:net";
import { codecOf, resources } from "@muster/foundation";
import {
  type DispatchPayload,
  type GroupNetwork,
  type GroupVolume,
  type GrpcProbe,
  type HealthCheck,
  type HttpProbe,
  type Launch,
  LifecycleHook,
  type PortRequest,
  type ReservedPart,
  RestartMode,
  type RestartPolicy,
  type TaskGroup,
  type TaskInfo,
  type TaskSpec,
} from "@muster/proto";
import { cpuMillisMaxMin } from "../cgroups/limits.ts";
import { problemOfLimits } from "../networks/limits/limits.ts";
import { problemOfMounts } from "../volumes/task-volumes.ts";
import { type ExecutorWish, idleTimeoutMsDefault, registrationTimeoutMsDefault } from "./core/executor-model.ts";
import { type LaunchRequest, plainNetwork } from "./core/model.ts";
import { problemOfTaskNetworks } from "./core/task-networks.ts";
import { emptySpec } from "./empty.ts";
import { copyArtifact, problemOfArtifacts } from "./wire-artifacts.ts";
import { copyFurther, moreNetworksMax, problemOfNetworks } from "./wire-networks.ts";
import { copySecret, copyTemplate, problemOfTemplates } from "./wire-templates.ts";

/** Bytes of a task's description. */
export const specBytesMax = 256 * 1024;
export const argumentsMax = 4_096;
export const healthChecksMax = 16;
export const portsMax = 256;
export const tasksPerGroupMax = 64;
export const reservedMax = 1_024;
export const volumesMax = 32;

/**
 * Copies a launch from the wire: nothing of the message is kept. What is wrong with a task's description stands in its
 * `problem`; the launch as a whole is refused (undefined) only if it can't be answered, for want of ids.
 */
export function launchFromWire(launch: Launch): LaunchRequest | undefined {
  const group = launch.group;
  if (!group || launch.frameworkId === "" || group.launchId === "" || group.tasks.length === 0) return undefined;
  if (group.tasks.some((task) => task.taskId === "")) return undefined;
  const groupProblem =
    problemOfGroup(group.tasks, group.ports) ||
    problemOfNetwork(group.network) ||
    problemOfNetworks(group) ||
    problemOfExecutor(group) ||
    problemOfVolumes(group.volumes);
  return {
    frameworkId: launch.frameworkId,
    frameworkName: launch.frameworkName,
    role: launch.role,
    launchId: group.launchId,
    networkMode: group.networkMode || "host",
    network: copyNetwork(group.network),
    moreNetworks: group.moreNetworks.slice(0, moreNetworksMax).map(copyFurther),
    ports: group.ports.slice(0, portsMax).map(copyPort),
    executor: executorFromWire(group),
    ...(launch.reserved.length > 0 ? { reserved: launch.reserved.slice(0, reservedMax).map(copyReserved) } : {}),
    ...(group.volumes.length > 0 ? { volumes: group.volumes.slice(0, volumesMax).map(copyVolume) } : {}),
    ...(group.predecessorLaunchId ? { predecessorLaunchId: group.predecessorLaunchId } : {}),
    ...(group.predecessorAddress
      ? { predecessorPlace: { address: group.predecessorAddress, token: group.predecessorToken ?? "" } }
      : {}),
    ...(group.filesToken ? { filesToken: group.filesToken } : {}),
    tasks: withTaskNetworks(
      group.tasks.slice(0, tasksPerGroupMax).map((task) => {
        const { spec, problem } = specFromBytes(task.spec);
        const wrong = groupProblem || problem || problemOfMounts(spec, group.volumes);
        return { info: infoFromWire(task), spec, problem: wrong };
      }),
    ),
  };
}

function copyReserved({ reservationId, role, resources: amounts }: ReservedPart): ReservedPart {
  return { reservationId, role, resources: resources(amounts), labels: {} };
}

function copyVolume({ volumeId, name }: GroupVolume): GroupVolume {
  return { volumeId, name };
}

function problemOfVolumes(volumes: readonly GroupVolume[]): string {
  if (volumes.length > volumesMax) return `volumes: at most ${volumesMax} in a group`;
  const wrong = volumes.find(({ name }) => !/^[A-Za-z0-9_-]{1,64}$/.test(name));
  if (wrong) return `volumes: "${wrong.name}" must be 1 to 64 letters, digits, dashes and underscores`;
  return new Set(volumes.map(({ name }) => name)).size < volumes.length ? "volumes: two have the same name" : "";
}

/** Notes what is wrong with networks of single tasks, for which all tasks of the group must be known. */
function withTaskNetworks(tasks: LaunchRequest["tasks"]): LaunchRequest["tasks"] {
  const wishes = tasks.map(({ info, spec }) => ({ name: info.name, networkMode: spec.networkMode }));
  const wrong = problemOfTaskNetworks(wishes);
  if (!wrong) return tasks;
  return tasks.map((task, at) =>
    at === wrong.index && task.problem === "" ? { ...task, problem: wrong.problem } : task,
  );
}

function problemOfGroup(tasks: readonly TaskInfo[], ports: readonly PortRequest[]): string {
  if (tasks.length > tasksPerGroupMax) return `tasks: at most ${tasksPerGroupMax} in a group`;
  if (ports.length > portsMax) return `ports: at most ${portsMax} in a group`;
  if (new Set(tasks.map((task) => task.taskId)).size < tasks.length) return "tasks: two have the same id";
  if (new Set(ports.map((port) => port.label)).size < ports.length) return "ports: two have the same label";
  const wrong = ports.find((port) => port.number > 65_535 || port.to > 65_535);
  return wrong ? `ports: "${wrong.label}" has a number above 65535` : "";
}

function executorFromWire({ executor, isExecutor }: TaskGroup): ExecutorWish | undefined {
  if (!executor) return undefined;
  return {
    id: executor.executorId,
    isSelf: isExecutor,
    registrationTimeoutMs: executor.registrationTimeoutMs ?? registrationTimeoutMsDefault,
    idleTimeoutMs: executor.idleTimeoutMs ?? idleTimeoutMsDefault,
  };
}

function problemOfExecutor({ executor, isExecutor, tasks }: TaskGroup): string {
  if (!executor) return isExecutor ? "executor: must name the executor that the task is" : "";
  if (!/^[A-Za-z0-9._-]{1,255}$/.test(executor.executorId))
    return "executor.executor_id: must be 1 to 255 characters of A-Z, a-z, 0-9, dot, dash and underscore";
  return isExecutor && tasks.length !== 1 ? "tasks: an executor is one task" : "";
}

function copyNetwork(network: GroupNetwork | null): GroupNetwork {
  if (!network) return plainNetwork;
  const { hostname, dnsServers, dnsSearches, dnsOptions } = network;
  const { downMbitMax, upMbitMax, connectionsMax, newConnectionsPerSecondMax } = network;
  return {
    hostname,
    dnsServers: [...dnsServers],
    dnsSearches: [...dnsSearches],
    dnsOptions: [...dnsOptions],
    ...(downMbitMax === undefined ? {} : { downMbitMax }),
    ...(upMbitMax === undefined ? {} : { upMbitMax }),
    ...(connectionsMax === undefined ? {} : { connectionsMax }),
    ...(newConnectionsPerSecondMax === undefined ? {} : { newConnectionsPerSecondMax }),
  };
}

/** Words that are written into files which programs read line by line. */
function problemOfNetwork(network: GroupNetwork | null): string {
  if (!network) return "";
  const { hostname, dnsServers, dnsSearches, dnsOptions } = network;
  // What references stand for is known when its network is made.
  const plain = hostname.replace(/\$\{[^${}]{1,256}\}/g, "x");
  if (hostname !== "" && !/^[A-Za-z0-9]([A-Za-z0-9.-]{0,61}[A-Za-z0-9])?$/.test(plain))
    return `network.hostname: "${hostname}" is no host name of at most 63 letters, digits, dots and dashes`;
  const server = dnsServers.find((address) => isIP(address) === 0);
  if (server !== undefined) return `network.dns_servers: "${server}" is no address`;
  const word = [...dnsSearches, ...dnsOptions].find((text) => !/^[\x21-\x7e]{1,253}$/.test(text));
  if (word !== undefined) return `network: "${word}" can't stand in resolv.conf`;
  if (dnsServers.length > 3) return "network.dns_servers: resolvers heed at most 3";
  if (dnsSearches.length > 32 || dnsOptions.length > 32) return "network: at most 32 search domains and 32 options";
  return problemOfLimits(network);
}

function copyPort(port: PortRequest): PortRequest {
  const { label, number, to, protocol, hostNetwork, network = 0 } = port;
  const place = network === 0 ? {} : { network };
  return { label, number, to, protocol, hostNetwork: hostNetwork === "default" ? "" : hostNetwork, ...place };
}

function infoFromWire(task: TaskInfo): TaskInfo {
  return {
    taskId: task.taskId,
    name: task.name,
    resources: resources(task.resources),
    discovery: task.discovery && {
      endpoints: task.discovery.endpoints.map(({ name, portLabel, protocol, tags, meta }) => ({
        name,
        portLabel,
        protocol,
        tags: [...tags],
        meta: { ...meta },
      })),
    },
    labels: { ...task.labels },
    spec: Buffer.alloc(0),
    ...(task.priority === undefined ? {} : { priority: task.priority }),
    ...(task.preemptionBudget === undefined ? {} : { preemptionBudget: task.preemptionBudget }),
    ...(task.preemptedMax === undefined ? {} : { preemptedMax: task.preemptedMax }),
  };
}

function specFromBytes(bytes: Uint8Array): { spec: TaskSpec; problem: string } {
  if (bytes.length > specBytesMax) return { spec: emptySpec(), problem: `spec: more than ${specBytesMax} bytes` };
  try {
    const spec = copySpec(codecOf("TaskSpec").decode(bytes));
    return { spec, problem: problemOfSpec(spec) };
  } catch {
    return { spec: emptySpec(), problem: "spec: no TaskSpec" };
  }
}

function copySpec(spec: TaskSpec): TaskSpec {
  const { killPolicy, logPolicy, restartPolicy } = spec;
  return {
    driver: spec.driver || "process",
    command: spec.command,
    arguments: [...spec.arguments],
    environment: { ...spec.environment },
    user: spec.user,
    killPolicy: killPolicy && {
      signal: killPolicy.signal,
      ...(killPolicy.graceMs === undefined ? {} : { graceMs: killPolicy.graceMs }),
    },
    logPolicy: logPolicy && { fileBytesMax: logPolicy.fileBytesMax, filesMax: logPolicy.filesMax },
    healthChecks: spec.healthChecks.map(copyCheck),
    runTimeMsMax: spec.runTimeMsMax,
    driverConfigJson: spec.driverConfigJson,
    jobName: spec.jobName,
    groupName: spec.groupName,
    instanceIndex: spec.instanceIndex,
    meta: { ...spec.meta },
    memoryMiBMax: spec.memoryMiBMax,
    restartPolicy: restartPolicy && copyRestart(restartPolicy),
    hook: spec.hook,
    sidecar: spec.sidecar,
    leader: spec.leader,
    shutdownDelayMs: spec.shutdownDelayMs,
    networkMode: spec.networkMode,
    dispatchPayload: spec.dispatchPayload && {
      file: spec.dispatchPayload.file,
      contentBase64: spec.dispatchPayload.contentBase64,
    },
    artifacts: spec.artifacts.map(copyArtifact),
    hostMounts: spec.hostMounts.map(({ source, volume, destination, readOnly }) => ({
      source,
      volume,
      destination,
      readOnly,
    })),
    onlyNamedVolumes: spec.onlyNamedVolumes,
    volumeMounts: spec.volumeMounts.map(({ volume, destination, readOnly }) => ({ volume, destination, readOnly })),
    templates: spec.templates.map(copyTemplate),
    secrets: spec.secrets.map(copySecret),
    ...(spec.stopAfterAwayMs === undefined ? {} : { stopAfterAwayMs: spec.stopAfterAwayMs }),
    ...(spec.cpuMillisMax === undefined ? {} : { cpuMillisMax: spec.cpuMillisMax }),
    ...(spec.ioMiBPerSecondMax === undefined ? {} : { ioMiBPerSecondMax: spec.ioMiBPerSecondMax }),
  };
}

function copyRestart({ attempts, intervalMs, delayMs, mode, afterSuccess }: RestartPolicy): RestartPolicy {
  return { attempts, intervalMs, delayMs, mode, afterSuccess };
}

function copyCheck(check: HealthCheck): HealthCheck {
  const { name, intervalMs, timeoutMs, graceMs, failuresMax, action, loopbackPort, http, tcp, grpc, script } = check;
  return {
    name,
    intervalMs,
    timeoutMs,
    failuresMax,
    action,
    ...(graceMs === undefined ? {} : { graceMs }),
    ...(loopbackPort === undefined ? {} : { loopbackPort }),
    ...(http ? { http: copyHttp(http) } : {}),
    ...(tcp ? { tcp: { portLabel: tcp.portLabel } } : {}),
    ...(grpc ? { grpc: copyGrpc(grpc) } : {}),
    ...(script ? { script: { command: script.command, arguments: [...script.arguments] } } : {}),
  };
}

function copyHttp(http: HttpProbe): HttpProbe {
  const { portLabel, path, method, headers, scheme, body, tlsSkipVerify, tlsServerName } = http;
  return { portLabel, path, method, headers: { ...headers }, scheme, body, tlsSkipVerify, tlsServerName };
}

function copyGrpc({ portLabel, service, tls, tlsSkipVerify, tlsServerName }: GrpcProbe): GrpcProbe {
  return { portLabel, service, tls, tlsSkipVerify, tlsServerName };
}

/** Bytes of a dispatch's payload. */
const payloadBytesMax = 16 * 1024;
const payloadFileLengthMax = 255;

/** Where a payload goes is below the task's folder, whoever says otherwise. */
function problemOfPayload({ file, contentBase64 }: DispatchPayload): string {
  const isBelow = file.split("/").every((part) => part !== "" && part !== "." && part !== "..");
  if (!isBelow || file.includes("\0") || file.length > payloadFileLengthMax)
    return "spec.dispatch_payload.file: must be a path below the task's local folder";
  const bytes = Buffer.byteLength(contentBase64, "base64");
  return bytes > payloadBytesMax
    ? `spec.dispatch_payload.content_base64: must be of at most ${payloadBytesMax} bytes, not ${bytes}`
    : "";
}

function problemOfSpec(spec: TaskSpec): string {
  const payload = spec.dispatchPayload ? problemOfPayload(spec.dispatchPayload) : "";
  if (payload !== "") return payload;
  if (spec.cpuMillisMax !== undefined && spec.cpuMillisMax < cpuMillisMaxMin)
    return `spec.cpu_millis_max: must be at least ${cpuMillisMaxMin}`;
  if (spec.ioMiBPerSecondMax === 0) return "spec.io_mi_b_per_second_max: must be at least 1";
  if (spec.arguments.length > argumentsMax) return `spec.arguments: more than ${argumentsMax}`;
  if (spec.healthChecks.length > healthChecksMax) return `spec.health_checks: more than ${healthChecksMax}`;
  const scripts = spec.healthChecks.flatMap(({ script }) => (script ? [script.command, ...script.arguments] : []));
  const texts = [spec.command, spec.user, ...spec.arguments, ...Object.values(spec.environment), ...scripts];
  if (texts.some((text) => text.includes("\0"))) return "spec: holds a zero byte";
  const name = Object.keys(spec.environment).find((key) => key === "" || key.includes("=") || key.includes("\0"));
  if (name !== undefined) return `spec.environment: "${name}" is no name of a variable`;
  const artifacts = problemOfArtifacts(spec.artifacts);
  if (artifacts !== "") return artifacts;
  if (!Object.values(LifecycleHook).includes(spec.hook)) return `spec.hook: ${spec.hook} is no hook`;
  if (spec.restartPolicy && !Object.values(RestartMode).includes(spec.restartPolicy.mode))
    return `spec.restart_policy.mode: ${spec.restartPolicy.mode} is no mode`;
  const signal = spec.killPolicy?.signal ?? "";
  if (signal !== "" && !/^SIG[A-Z0-9]+$/.test(signal)) return `spec.kill_policy.signal: "${signal}" is no signal`;
  return problemOfTemplates(spec);
}

/**
 * The typed job: what a jobspec means once variables, locals, functions and defaults are settled.
 *
 * Plain JSON: every field is present unless marked optional, amounts are integers, durations are milliseconds.
 * Text fields marked "interpolated" may hold runtime references such as `${node.class}` or `${NOMAD_PORT_http}`;
 * `interpolate` of this package is the one implementation of their substitution.
 */

import type { Dependency } from "./dependencies.ts";
import type { DisconnectStrategy } from "./disconnects.ts";
import type { DispatchPayload, Parameterized } from "./parameterized.ts";
import type { Affinity, PlacementPolicy, Spread } from "./preferences.ts";
import type { TaskFiles } from "./task-files.ts";

/** Version of the shape below; a decoder refuses others. */
export const jobSchema = 1;

export type JobType = "service" | "batch" | "system" | "sysbatch";

export interface Job {
  readonly schema: typeof jobSchema;
  /** Label of the `job` block (or its `id`): unique in the cluster, without spaces. */
  readonly id: string;
  readonly name: string;
  readonly type: JobType;
  /** Muster role whose share pays for the job; `role`, else `namespace`, else "default". */
  readonly role: string;
  /** 1 to 100, 50 by default; larger goes first. */
  readonly priority: number;
  readonly region: string;
  /** Globs over the attribute `node.datacenter`; ["*"] by default. */
  readonly datacenters: readonly string[];
  readonly nodePool: string;
  readonly meta: Readonly<Record<string, string>>;
  /** Hold for every group, in addition to the group's own. */
  readonly constraints: readonly Constraint[];
  /** Hold for every group, in addition to the group's own. */
  readonly affinities?: readonly Affinity[];
  readonly spreads?: readonly Spread[];
  /** Which of several agents that would do; absent: instances keep apart, and else fill agents. */
  readonly placement?: PlacementPolicy;
  /** Hold for every group, in addition to the group's own. Only service and system jobs. Absent: none. */
  readonly dependsOn?: readonly Dependency[];
  /** Only batch and sysbatch jobs; a batch job without it runs once. */
  readonly schedule?: Schedule;
  /** Only batch and sysbatch jobs without a schedule: it runs each time that it is dispatched, and only then. */
  readonly parameterized?: Parameterized;
  /** Places of texts that are shown to nobody, for instance "groups/0/tasks/0/env/PASSWORD". Absent: none. */
  readonly sensitive?: readonly string[];
  /** At least one, names unique. */
  readonly groups: readonly TaskGroup[];
}

/** Tasks that are placed, started and given ports together on one agent. */
export interface TaskGroup {
  readonly name: string;
  /** Instances wanted; 1 by default; 0 = suspended. For system jobs: per agent, at most 1. */
  readonly count: number;
  /** The group's own; the job's come on top. */
  readonly constraints: readonly Constraint[];
  readonly affinities?: readonly Affinity[];
  readonly spreads?: readonly Spread[];
  /** Only of service and system jobs. Absent: none. */
  readonly dependsOn?: readonly Dependency[];
  readonly network: Network;
  /** Services whose address is the group's. */
  readonly services: readonly Service[];
  readonly restart: RestartPolicy;
  /** Absent: a failed instance is placed anew under the delays of `restart`. */
  readonly reschedule?: ReschedulePolicy;
  /** Rolling updates; only of type service matters, others carry the default. */
  readonly update: UpdateStrategy;
  /**
   * How instances leave an agent that is drained, and how many may be preempted at once; absent: as in an update. Of
   * type batch and sysbatch only the latter counts; absent: as many as there are.
   */
  readonly migrate?: MigrateStrategy;
  /** Only of service and system jobs. Absent: Muster's rules. */
  readonly disconnect?: DisconnectStrategy;
  /** What becomes of its instances' files. Absent: each instance begins with empty folders. */
  readonly disk?: GroupDisk;
  /** Volumes that its tasks may mount, by names that are unique in the group. Absent: none. */
  readonly volumes?: readonly GroupVolume[];
  /** Between leaving discovery and the kill signal. */
  readonly shutdownDelayMs: number;
  /** Batch jobs: what runs longer is ended, and has failed; absent: no limit. */
  readonly runMsMax?: number;
  /** Job's meta with the group's over it. */
  readonly meta: Readonly<Record<string, string>>;
  /** At least one, names unique within the group. */
  readonly tasks: readonly Task[];
}

/**
 * process: a plain process. exec: a container with the host's programs or a root of its own. oci: a container from an
 * image. docker: the same by an Engine where one runs, else as oci: the agent settles it at the launch.
 */
export type Driver = "process" | "exec" | "oci" | "docker";

export const drivers: readonly Driver[] = ["process", "exec", "oci", "docker"];

/** Whether its tasks are made from images. */
export function hasImage(driver: Driver): boolean {
  return driver === "oci" || driver === "docker";
}

export interface Task extends TaskFiles {
  readonly name: string;
  /** `raw_exec` of a Nomad file arrives as "process". */
  readonly driver: Driver;
  readonly config: TaskConfig;
  /** Account to run as; absent: the agent's own, with driver exec nobody, with oci and docker the image's. */
  readonly user?: string;
  /** Values are interpolated. */
  readonly env: Readonly<Record<string, string>>;
  readonly resources: TaskResources;
  readonly constraints: readonly Constraint[];
  readonly affinities?: readonly Affinity[];
  readonly services: readonly Service[];
  /** The task's own block; absent: the group's holds. */
  readonly restart?: RestartPolicy;
  /** Between the kill signal and SIGKILL; 5,000 by default. */
  readonly killTimeoutMs: number;
  /** "SIGTERM" style name; "SIGTERM" by default. */
  readonly killSignal: string;
  readonly shutdownDelayMs: number;
  readonly logs: TaskLogs;
  /** Job's and group's meta with the task's over them. */
  readonly meta: Readonly<Record<string, string>>;
  /** When a leader ends, the other tasks of its group are stopped. A main task; at most one of a group. */
  readonly leader: boolean;
  /** Where it finds volumes of its group. Absent: nowhere. */
  readonly volumeMounts?: readonly VolumeMount[];
  /** Fetched into its folders before it starts, in that order. Absent: none. */
  readonly artifacts?: readonly Artifact[];
  /** Absent: its group's. */
  readonly network?: TaskNetwork;
  /** Absent: a main task, of which each group has at least one. */
  readonly lifecycle?: Lifecycle;
  /** Only in parameterized jobs. */
  readonly dispatchPayload?: DispatchPayload;
}

/** What of the files of ended instances their successors find: what tasks have in their local folders, and the group shares. */
export interface GroupDisk {
  /** A successor goes where they are, if it finds room there. */
  readonly isSticky: boolean;
  /** Where it goes elsewhere, copies go with it. Absent: it begins with empty folders there. */
  readonly isMigrating?: boolean;
}

/** A volume of a group: what its tasks mount. */
export type GroupVolume = HostVolume | OwnVolume;

/** Made for each instance of the group, on the agent where it starts first; it starts nowhere else from then on. */
export interface OwnVolume {
  readonly name: string;
  readonly type: "muster";
  /** Of its agent's disk, set aside for the job's role. */
  readonly sizeMiB: number;
  /** No task of the group writes to it. */
  readonly readOnly: boolean;
}

/** A folder of the agents that their operators have declared. The group goes to agents that have it. */
export interface HostVolume {
  readonly name: string;
  readonly type: "host";
  /** As operators call it. */
  readonly source: string;
  /** No task of the group writes to it. */
  readonly readOnly: boolean;
}

export interface VolumeMount {
  /** Name of a volume of the group. */
  readonly volume: string;
  /** Absolute path inside; of a plain process below its own folder. */
  readonly destination: string;
  readonly readOnly: boolean;
}

/** Volumes of a group, and mounts of a task. */
export const volumesMax = 32;

/** What is fetched into a task's folders. Texts are interpolated on the agent. */
export interface Artifact {
  /** As in go-getter: an http(s) URL, an absolute path of the agent's disk, `git::URL`, `github.com/owner/name`. */
  readonly source: string;
  /** Below the task's folder; "local/" by default. */
  readonly destination: string;
  readonly mode: "any" | "file" | "dir";
  /** checksum, archive, filename, ref, depth: win over those of the source's query. */
  readonly options: Readonly<Record<string, string>>;
  /** Of http alone. */
  readonly headers: Readonly<Record<string, string>>;
  /** Any certificate will do. */
  readonly insecure: boolean;
  /** Given to the task's account; otherwise it is the agent's. */
  readonly chown: boolean;
}

/** Artifacts that a task can have. */
export const artifactsMax = 64;

/** A network of the task's own: loopback alone, or what another task of its group has. */
export interface TaskNetwork {
  readonly mode: "none" | `container:${string}`;
}

export function isTaskNetworkMode(text: string): text is TaskNetwork["mode"] {
  return text === "none" || /^container:[\x21-\x7e]{1,63}$/.test(text);
}

export type LifecycleHook = "prestart" | "poststart" | "poststop";

export const lifecycleHooks: readonly LifecycleHook[] = ["prestart", "poststart", "poststop"];

/**
 * prestart: it succeeds, or as a sidecar runs, before the main tasks start. poststart: it starts once all main tasks run.
 * poststop: it starts once all main tasks have ended.
 */
export interface Lifecycle {
  readonly hook: LifecycleHook;
  /** It goes on beside the main tasks, and is ended after them. Not of poststop. */
  readonly sidecar: boolean;
}

export interface TaskConfig {
  /** Program; looked up in the task's PATH when it holds no slash. Interpolated. "" with drivers oci and docker: the image's. */
  readonly command: string;
  /** Interpolated. */
  readonly args: readonly string[];
  /** Of drivers exec, oci and docker only; absent: their defaults. */
  readonly container?: ContainerConfig;
  /** Of drivers oci and docker, which need it. */
  readonly image?: ImageConfig;
}

export interface ImageConfig {
  /** "alpine:3.19", "registry.example:5000/a/b@sha256:...", "oci:/folder:tag" and so on. Interpolated. */
  readonly name: string;
  /** In place of the image's entrypoint and command. Interpolated. */
  readonly entrypoint?: readonly string[];
  /** The registry is asked at each start; absent: only for what is not on the agent yet. */
  readonly forcePull?: boolean;
  /** Absent: the agent's default, 5 minutes. */
  readonly pullTimeoutMs?: number;
  /** Who asks the registry; absent: as the agent is set. */
  readonly auth?: { readonly username: string; readonly password: string };
}

export interface ContainerConfig {
  /** Of exec: absolute path of a folder of the host that is the root. Absent: the host's programs. Interpolated. */
  readonly rootfs?: string;
  /** Where it begins, inside. Absent: "/", or where the image says. Interpolated. */
  readonly workDir?: string;
  /** Capabilities beside the default, e.g. "net_raw". */
  readonly capAdd?: readonly string[];
  /** Capabilities to do without; "all": all. */
  readonly capDrop?: readonly string[];
  /** Processes and threads at once. */
  readonly pidsLimit?: number;
}

export interface TaskResources {
  /** 1,000 = one core. `cpu = 500` (MHz in Nomad) is 500; `cores = 2` is 2,000. */
  readonly cpuMillis: number;
  /** Where the driver limits the processor: never exceeded, even on an idle host. Absent: no bound. At least 10. */
  readonly cpuMillisMax?: number;
  /** The processor comes out of what agents lend, and the task ends when that is wanted back. Absent: it is firm. */
  readonly isRevocable?: boolean;
  readonly memoryMiB: number;
  /** Where the driver limits memory: may be used while the host has it. Absent: no more than `memoryMiB`. */
  readonly memoryMiBMax?: number;
  readonly diskMiB: number;
  /** Where the driver makes containers: MiB a second that it reads from the disk, and that it writes. Absent: no bound. */
  readonly ioMiBPerSecondMax?: number;
}

export interface TaskLogs {
  readonly disabled: boolean;
  /** Files kept for each of stdout and stderr. */
  readonly fileCount: number;
  readonly fileSizeMiB: number;
}

/**
 * host: the host's own. bridge: a network of its own behind the agent's bridge. none: loopback alone. cni/NAME: what the
 * configuration of that name on the agent's host makes. overlay/NAME: an address in a network over all agents.
 */
export type NetworkMode = "host" | "bridge" | "none" | `cni/${string}` | `overlay/${string}`;

/** Those that have no name of their own. */
export const networkModes: readonly NetworkMode[] = ["host", "bridge", "none"];

export function isNetworkMode(text: string): text is NetworkMode {
  return networkModes.some((mode) => mode === text) || isNamed(text);
}

/** Whether a group of that mode can have no other network. */
export function isAlone(mode: NetworkMode): boolean {
  return mode === "host" || mode === "none";
}

/** The mode of the network that a port is in. */
export function modeOfPort({ mode, more = [] }: Network, { network = 0 }: NetworkPort): NetworkMode {
  return network === 0 ? mode : (more[network - 1]?.mode ?? mode);
}

/** Whether groups have addresses that all agents reach, with ports of their own. */
export function hasOwnPorts(mode: NetworkMode): boolean {
  return mode.startsWith("overlay/");
}

function isNamed(text: string): boolean {
  return /^cni\/[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$/.test(text) || /^overlay\/[a-z0-9][a-z0-9-]{0,31}$/.test(text);
}

export interface Network {
  readonly mode: NetworkMode;
  /** Name of the host inside; absent: made from the task's id. Has no meaning in mode host. */
  readonly hostname?: string;
  /** Absent: the resolver of the agent's host. Has no meaning in mode host. */
  readonly dns?: NetworkDns;
  /** Absent: no bounds. Not of modes host and none. */
  readonly limits?: NetworkLimits;
  /** Of all networks of the group. Labels are unique within the group. */
  readonly ports: readonly NetworkPort[];
  /** Networks beside the first, in their order; each mode once in a group. Absent: none. */
  readonly more?: readonly FurtherNetwork[];
}

/** A network of a group beside its first. */
export interface FurtherNetwork {
  /** Not host and not none, beside which there can be no other. */
  readonly mode: NetworkMode;
  readonly limits?: NetworkLimits;
}

/** Networks that a group can have beside its first. */
export const moreNetworksMax = 7;

export interface NetworkDns {
  /** Addresses. */
  readonly servers: readonly string[];
  readonly searches: readonly string[];
  readonly options: readonly string[];
}

export interface NetworkLimits {
  /** Megabits a second to the group. */
  readonly downMbit?: number;
  /** Megabits a second from the group. */
  readonly upMbit?: number;
  /** Connections at once, both ways. */
  readonly connections?: number;
  /** New connections a second, both ways. */
  readonly connectionsPerSecond?: number;
}

export interface NetworkPort {
  readonly label: string;
  /** The fixed host port, 1 to 65,535. Absent: dynamic, the agent chooses. */
  readonly static?: number;
  /** Port inside the task's network; -1 = the host port's number. No effect in mode host. */
  readonly to?: number;
  /** Name of the agents' network whose address the port is open on. Absent: every address. */
  readonly hostNetwork?: string;
  /** Which of the group's networks it is in. Absent: the first. */
  readonly network?: number;
}

export interface Service {
  /** DNS name: `<name>.services.<zone>`; by default the job's (one group) or `<job>-<group>`. Interpolated. */
  readonly name: string;
  /** Label of a port of the group's network: SRV `_<label>._<name>._tcp.services.<zone>`. Absent: address only. */
  readonly portLabel?: string;
  /** A fixed number instead of a label. */
  readonly port?: number;
  /** Interpolated. */
  readonly tags: readonly string[];
  readonly meta: Readonly<Record<string, string>>;
  readonly checks: readonly Check[];
}

export type Check = HttpCheck | TcpCheck | GrpcCheck | ScriptCheck;

interface CheckCommon {
  readonly name: string;
  /** Of a group's service: the task whose health it is. Absent: the leader's, or the first task's. */
  readonly task?: string;
  /** Absent: the service's port. */
  readonly portLabel?: string;
  readonly port?: number;
  readonly intervalMs: number;
  readonly timeoutMs: number;
  /** Successes in a row before the check passes again; 0 = the first one does. */
  readonly successesBeforePassing: number;
  /** Failures in a row tolerated before the check is critical; 0 = the first one is. */
  readonly failuresBeforeCritical: number;
  /** Absent: a failing check only takes the instance out of discovery. */
  readonly checkRestart?: CheckRestart;
}

export interface HttpCheck extends CheckCommon {
  readonly type: "http";
  readonly protocol: "http" | "https";
  readonly method: string;
  /** Interpolated. */
  readonly path: string;
  readonly headers: Readonly<Record<string, readonly string[]>>;
  readonly body: string;
  readonly tlsServerName: string;
  readonly tlsSkipVerify: boolean;
}

export interface TcpCheck extends CheckCommon {
  readonly type: "tcp";
}

/** Asks grpc.health.v1.Health. */
export interface GrpcCheck extends CheckCommon {
  readonly type: "grpc";
  /** "" asks about the whole server. */
  readonly service: string;
  readonly tls: boolean;
  readonly tlsServerName: string;
  readonly tlsSkipVerify: boolean;
}

/** Runs beside the task: with its environment, in its folder, namespaces and cgroups. */
export interface ScriptCheck extends CheckCommon {
  readonly type: "script";
  /** Interpolated, as the arguments are. */
  readonly command: string;
  readonly args: readonly string[];
}

export interface CheckRestart {
  /** Failures in a row that restart the task; 0 = never. */
  readonly limit: number;
  /** Failures within this time of the start do not count. */
  readonly graceMs: number;
}

export type ConstraintOperator =
  | "="
  | "!="
  | "<"
  | "<="
  | ">"
  | ">="
  | "regexp"
  | "like"
  | "unlike"
  | "version"
  | "semver"
  | "set_contains"
  | "set_contains_any"
  | "is_set"
  | "is_not_set"
  | "distinct_hosts"
  | "distinct_property"
  | "cluster"
  | "group_by"
  | "equal";

export interface Constraint {
  /** Left side, e.g. `${attr.kernel.name}`: interpolated on the agent's attributes; "" for distinct_hosts. */
  readonly attribute: string;
  /** Synonyms are settled: `==` and `is` arrive as "=", `not` as "!=", `set_contains_all` as "set_contains", `unique` and `max_per` as "distinct_property". */
  readonly operator: ConstraintOperator;
  /** Right side; "" for is_set and is_not_set; "true" for distinct_hosts; a count for distinct_property; "" or a value for cluster; for group_by over how many values, "strict", or both. Interpolated. */
  readonly value: string;
}

/**
 * How an instance that failed is started again. The delay before start k (from 1) after a failure is
 * min(firstDelayMs * factor^(k-1), maxDelayMs); a factor of 1 is a constant delay.
 *
 * Written `restart` blocks have Nomad's meaning (attempts within an interval, constant delay). Without a block:
 * services back off 1 s x2 up to 300 s without limit, batch jobs get 2 more attempts, 30 s x2 up to 600 s.
 */
export interface RestartPolicy {
  /** Restarts allowed within `intervalMs`; absent: without limit. */
  readonly attempts?: number;
  /** Window of `attempts`; absent: the life of the instance. */
  readonly intervalMs?: number;
  readonly firstDelayMs: number;
  readonly factor: number;
  readonly maxDelayMs: number;
  /** Running (and healthy) this long, the delay starts over; absent: never. */
  readonly resetAfterMs?: number;
  /** Attempts used up: "fail" gives the instance up, "delay" waits for the next interval. */
  readonly mode: "fail" | "delay";
}

/** Placement of a new instance elsewhere once restarts are used up (a written `reschedule` block). */
export interface ReschedulePolicy {
  readonly unlimited: boolean;
  readonly attempts: number;
  readonly intervalMs: number;
  readonly delayMs: number;
  readonly delayFunction: "constant" | "exponential" | "fibonacci";
  readonly maxDelayMs: number;
}

/**
 * How a new version replaces the old.
 *
 * `batch` is a written block: at most `maxParallel` instances are replaced at a time, old ones may stop first.
 * `surge` is the default of an absent block: never fewer than `minHealthyPercent` of the count healthy, at most
 * `surgePercent` (at least one instance, unless it is 0) more than the count. With 0 old ones stop first.
 */
export interface UpdateStrategy {
  readonly method:
    | { readonly kind: "batch"; readonly maxParallel: number }
    | {
        readonly kind: "surge";
        readonly minHealthyPercent: number;
        readonly surgePercent: number;
        /** The minimum is written: it is never gone below, also where an update then finds no way on. Absent: false. */
        readonly isStrict?: boolean;
      };
  readonly canaryCount: number;
  /** Of system jobs: on so many agents of a hundred the new version comes first. Absent: 0. */
  readonly canaryPercent?: number;
  readonly healthCheck: "checks" | "task_states" | "manual";
  /** Healthy for this long before the next step. */
  readonly minHealthyTimeMs: number;
  /** An instance not healthy by then has failed. */
  readonly healthyDeadlineMs: number;
  /** No instance became healthy for this long: the update failed; 0 = the first failed instance fails it. */
  readonly progressDeadlineMs: number;
  readonly autoRevert: boolean;
  readonly autoPromote: boolean;
  /** Between steps of system jobs. */
  readonly staggerMs: number;
}

/** How instances of a group leave an agent that is drained: a successor elsewhere first, as many at a time as may. */
export interface MigrateStrategy {
  /** 0: none moves before the drain's deadline, and none is preempted. */
  readonly maxParallel: number;
  readonly healthCheck: "checks" | "task_states";
  /** A successor is healthy for this long before its predecessor ends. */
  readonly minHealthyTimeMs: number;
  /** A successor that is not by then has failed. */
  readonly healthyDeadlineMs: number;
}

export const overlaps = ["skip", "allow", "cancel", "buffer_one"] as const;
export type Overlap = (typeof overlaps)[number];

export type Schedule = CronSchedule | IntervalSchedule;

interface ScheduleCommon {
  /** IANA name; "UTC" by default. */
  readonly timeZone: string;
  /**
   * While a run is still going: skip the due one; start it beside; end the other first; or let one wait for the end of
   * the other and skip the rest.
   */
  readonly overlap: Overlap;
  /** Runs start up to so much later, each job by an amount of its own; absent: 0. */
  readonly jitterMs?: number;
  /** Failed runs in a row that pause the schedule until the job is handed in again; absent: never. */
  readonly pauseAfterFailures?: number;
  /** false: known, shown, never due. */
  readonly enabled: boolean;
}

export interface CronSchedule extends ScheduleCommon {
  readonly kind: "cron";
  /** Cron texts of five fields, or of six with seconds first, or `@daily` style names; due when any is; at least one. */
  readonly expressions: readonly string[];
}

export interface IntervalSchedule extends ScheduleCommon {
  readonly kind: "interval";
  /** ISO 8601 repeating interval, `R[n]/[start]/duration`; checked for form. */
  readonly text: string;
}

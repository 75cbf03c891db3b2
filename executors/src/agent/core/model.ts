import type { Random } from "@muster/foundation";
import type {
  AssignedPort,
  FurtherNetwork,
  GroupNetwork,
  GroupVolume,
  Health,
  PortRequest,
  ReservedPart,
  Resources,
  StatusReason,
  TaskInfo,
  TaskSpec,
  TaskStatus,
} from "@muster/proto";
import type { AddressPool } from "../../networks/address-pool.ts";
import type { Ports } from "../../ports/allocator.ts";
import type { HostVolume } from "../../volumes/host-volumes.ts";
import type { ImageReady } from "../../world/images.ts";
import type { NetReady } from "../../world/nets.ts";
import type { ProcExit, ProcStarted } from "../../world/proc.ts";
import type { DiskWatch } from "./disk-watch.ts";
import type { ExecutorLife, ExecutorWish, GroupExecutor, ServedTask } from "./executor-model.ts";
import type { HealthKills } from "./health-kills.ts";
import type { Lending } from "./lending.ts";
import type { FurtherPlace } from "./places.ts";
import type { PortEnforcement, PortWatch } from "./port-watch.ts";
import type { RestartWindow } from "./restart.ts";
import type { SetAside } from "./set-aside/model.ts";
import type { CatalogState, TaskTemplates } from "./templates/model.ts";

/** The two times of one moment: one for durations, one for people and other machines. */
export interface Now {
  readonly monotonicMs: number;
  readonly epochMs: number;
}

/** What the core needs to know of its surroundings. All numbers are set: defaults are in ../config.ts. */
export interface CoreConfig {
  readonly agentId: string;
  readonly agentName: string;
  /** Absolute path under which everything of the agent lies. */
  readonly dataFolder: string;
  readonly bootId: string;
  /** Address under which tasks' ports are reached. */
  readonly ip: string;
  readonly attributes: Readonly<Record<string, string>>;
  /** Given to every task, beside what names it: PATH and the like. */
  readonly taskEnvironment: Readonly<Record<string, string>>;
  readonly drivers: ReadonlySet<string>;
  readonly networkModes: ReadonlySet<string>;
  /** Path of the Unix socket at which custom executors attach; empty: there can be none. */
  readonly executorSocket: string;
  /** Whether tasks may name an account to run under. */
  readonly mayChangeUser: boolean;
  readonly tasksMax: number;
  /** Groups that can have an address of their own at once. */
  readonly addressesMax: number;
  readonly probesMax: number;
  readonly helperProbesMax: number;
  /** What becomes of tasks in the host's network that listen on ports which are not theirs. */
  readonly enforcePorts: PortEnforcement;
  readonly portWatchMs: number;
  /** How often it is looked what tasks' files take; undefined: nothing measures it here. */
  readonly diskWatchMs: number | undefined;
  /** What part of the processor that tasks were given and do not use is lent, 0 to 1; 0: nothing is. */
  readonly lentFraction: number;
  /** How often it is measured what tasks use, where something is lent. */
  readonly lendingWatchMs: number;
  readonly diskFreeBytesMin: number;
  readonly diskFreeFractionMin: number;
  /** Folders of the host that jobs may name, by their names. */
  readonly hostVolumes: ReadonlyMap<string, HostVolume>;
  /** Whether the agent can keep volumes. */
  readonly hasVolumes: boolean;
  /** Whether it can make files from templates, and read secrets. */
  readonly hasMaterials: boolean;
}

/** A status on its way to the framework. */
export interface QueuedStatus {
  readonly status: TaskStatus;
  durable: boolean;
  /** Not before; undefined: as soon as it is durable and there is a master. */
  resendAtMs: number | undefined;
  delayMs: number;
}

export interface Kill {
  reason: StatusReason;
  message: string;
  /** From the news of it to the first signal, in milliseconds. */
  delayMs: number;
  /** When the first signal is due, monotonic and in milliseconds since the epoch; undefined: nobody was told of it yet. */
  signal: { readonly atMs: number; readonly at: number } | undefined;
  /** SIGKILL then, in monotonic milliseconds; undefined until the first signal has been sent. */
  deadlineMs: number | undefined;
  graceMs: number;
  forced: boolean;
}

export interface Check {
  /** Monotonic; undefined while a probe is on its way. */
  nextAtMs: number | undefined;
  delayMs: number;
  failures: number;
  everPassed: boolean;
  passing: boolean;
  lastMessage: string;
}

/**
 * preparing: nothing was spawned yet, perhaps since others of its group have their turn first. starting: spawned or adopted, nothing heard yet. running: its program runs.
 * restarting: it has ended, and waits for the time of its next start. ended: the terminal status is made.
 */
export type TaskPhase = "preparing" | "starting" | "running" | "restarting" | "ended";

/**
 * none: it needs none, or has not asked for it. preparing: it is being fetched and unpacked, or looked for. ready: it stays
 * until it is released. kept: an earlier life of the agent has prepared it. released: the task has ended.
 */
export type TaskImage =
  | { readonly name: "none" | "preparing" | "kept" | "released" }
  | { readonly name: "ready"; readonly ready: ImageReady };

/**
 * What is fetched into a task's folders. none: it needs nothing, or has not asked for it. fetching: it waits for it. ready:
 * it is there, and stays for all attempts. released: the task has ended.
 */
export type TaskArtifacts = "none" | "fetching" | "ready" | "released";

export interface Task {
  readonly id: string;
  readonly group: Group;
  /** As launched, `spec` empty. */
  readonly info: TaskInfo;
  readonly spec: TaskSpec;
  phase: TaskPhase;
  /** The boot of the machine in which it was launched. */
  bootId: string;
  started: ProcStarted | undefined;
  /** How often it was started again. */
  attempt: number;
  restartWindow: RestartWindow | undefined;
  /** While it waits for its next start: when that is, monotonic and in milliseconds since the epoch. */
  nextTry: { readonly atMs: number; readonly at: number } | undefined;
  image: TaskImage;
  artifacts: TaskArtifacts;
  /** Absent: it has neither files to be made nor secrets. */
  readonly templates: TaskTemplates | undefined;
  /** So many of its processes were ended for want of memory when that was reported last. */
  memoryKills: number;
  /** Count of statuses made. */
  sequence: number;
  /** Not acknowledged, oldest first. At most `statusesPerTaskMax`. */
  queue: QueuedStatus[];
  latest: TaskStatus | undefined;
  /** The latest that is durable. A master may know of no other: after a power cut its number is given again. */
  durable: TaskStatus | undefined;
  kill: Kill | undefined;
  health: Health;
  checks: Check[];
  /** A check has failed so often that its framework is asked whether to kill it: since when, and when that was said last. */
  killAsked: { readonly sinceMs: number; saidMs: number } | undefined;
  /** Ends it then, in milliseconds since the epoch, so that a restart of the agent does not prolong it. */
  endsAt: number | undefined;
  /** When the last status of an ended task was acknowledged, in milliseconds since the epoch. */
  acknowledgedAt: number | undefined;
  /** Present if it is a custom executor. */
  readonly executor: ExecutorLife | undefined;
  /** Present if it is given to one. */
  served: ServedTask | undefined;
}

/**
 * ports: the kernel is asked about its ports. intent: its record is being made durable. images: its tasks' images are
 * being prepared. network: its network is being made. launched: its tasks were spawned, or are being looked for. refused: it was never started; only its terminal
 * statuses are kept, in memory.
 */
export type GroupPhase = "ports" | "intent" | "images" | "network" | "launched" | "refused";

/**
 * host: it uses the host's, or has none yet. building: it is being made, or made sure of after a restart. ready: its
 * namespace is pinned. broken: it could not be made sure of after a restart. removing: nothing runs in it any more. gone:
 * nothing of it is left.
 */
export type GroupNet =
  | { readonly name: "host" | "building" | "removing" | "gone" }
  | ({ readonly name: "ready" } & NetReady)
  | { readonly name: "broken"; readonly reason: string };

/**
 * What a group's predecessor has left. none: it wants nothing. wanted: nothing was asked for yet. moving: it is being moved.
 * settled: it is there, or can't be had.
 */
export type Heritage = "none" | "wanted" | "moving" | "settled";

/** Another agent, and what it is to be told to give the files of a launch. */
export interface PredecessorPlace {
  readonly address: string;
  readonly token: string;
}

export interface Group {
  readonly key: string;
  readonly launchId: string;
  /** The launch whose files it takes over; empty: none. */
  readonly predecessorLaunchId: string;
  /** Where that launch was; undefined: on this agent. */
  readonly predecessorPlace: PredecessorPlace | undefined;
  heritage: Heritage;
  /** Who names it is given what the group leaves; empty: nobody is. */
  readonly filesToken: string;
  readonly frameworkId: string;
  readonly frameworkName: string;
  readonly role: string;
  readonly networkMode: string;
  network: GroupNetwork;
  readonly ports: readonly PortRequest[];
  assigned: AssignedPort[];
  /** Which of the agent's addresses it has; 0: none. */
  addressIndex: number;
  /** The overlay subnets in which that address is; empty: it is in none. */
  subnets: readonly string[];
  /** Its networks beside the first, in their order. */
  readonly more: readonly FurtherPlace[];
  net: GroupNet;
  phase: GroupPhase;
  readonly tasks: Task[];
  /** Absent: no custom executor has to do with it. */
  readonly executor: GroupExecutor | undefined;
  /** What of its resources the master has taken out of reservations. */
  readonly reserved: readonly ReservedPart[];
  /** Volumes of the agent that are its own while a task of it lives. */
  readonly volumes: readonly GroupVolume[];
  /** Dynamic ports that the kernel refused while the group's ports were looked for. */
  readonly refusedPorts: Set<number>;
  /** Its intent could not be read: whatever still runs is ended. */
  readonly damaged: boolean;
  /** Ports and address are given back. */
  released: boolean;
  /** When it may be forgotten, in milliseconds since the epoch; absent until nothing of it is open. */
  forgetAt?: number;
}

/** An overlay network on this host: its addresses for groups, or why there are none. */
export interface AgentOverlay {
  readonly subnets: readonly string[];
  /** Undefined: groups can't be launched in it. */
  readonly pool: AddressPool | undefined;
  readonly reason: string;
}

export interface AgentState {
  readonly config: CoreConfig;
  readonly random: Random;
  /** For what nobody may guess. */
  readonly secrets: Random;
  readonly ports: Ports;
  readonly addresses: AddressPool;
  /** By name; what the master and the host have made of each. */
  readonly overlays: Map<string, AgentOverlay>;
  /** Addresses of the host by the names of its networks. */
  readonly hostNetworks: Map<string, string>;
  /** By key. */
  readonly groups: Map<string, Group>;
  /** Those of which something is open, in the same order; the others are only remembered. */
  readonly openGroups: Set<Group>;
  /** When the first of the others may be forgotten, in milliseconds since the epoch; infinity: there are none. */
  forgetFirstAt: number;
  /** Keys by framework and launch id. */
  readonly launches: Map<string, string>;
  /** By id. */
  readonly tasks: Map<string, Task>;
  /** Tasks by framework and task id: of several launches at most one is not ended. */
  readonly named: Map<string, Task[]>;
  /** Tasks that are executors, by framework and executor: of several at most one is neither ended nor being ended. */
  readonly executors: Map<string, Task[]>;
  /** Those whose tasks are to be ended at the end of this step. */
  readonly executorsEnded: Task[];
  /** Executors' own tasks by the session through which they are attached. */
  readonly attached: Map<number, Task>;
  /** Kills of tasks that nobody launched yet, with the time at which they are forgotten (monotonic). */
  readonly killsAhead: Map<string, { readonly untilMs: number; readonly reason: StatusReason }>;
  registered: boolean;
  /** Since when there is no session with a master, as `monotonicMs`. */
  awaySinceMs: number | undefined;
  /** Why no launch is accepted; empty: launches are accepted. */
  refusing: "" | "disk" | "draining" | "stopping";
  epochSeen: number;
  /** Checks on their way, by task and index: those that the agent asks itself, and those that take its helper. */
  readonly probesUnderWay: { readonly own: Set<string>; readonly helped: Set<string> };
  readonly healthKills: HealthKills;
  readonly portWatch: PortWatch;
  readonly diskWatch: DiskWatch;
  readonly lending: Lending;
  /** How tasks have ended that can't be told of yet: it is asked who listens on their ports. */
  readonly endsWaiting: Map<string, ProcExit>;
  keyCount: number;
  /** What is set aside for roles, and the agent's volumes. */
  readonly setAside: SetAside;
  /** What tasks' files are made of, as the master tells it. */
  readonly catalog: CatalogState;
  /** Where the disk stood when it was looked at last. */
  disk: { totalBytes: number; freeBytes: number };
}

/** A launch as it comes from the wire: everything copied and of the right shape. */
export interface LaunchRequest {
  readonly frameworkId: string;
  readonly frameworkName: string;
  readonly role: string;
  readonly launchId: string;
  readonly networkMode: string;
  readonly network: GroupNetwork;
  /** Networks beside the first. Absent: none. */
  readonly moreNetworks?: readonly FurtherNetwork[];
  readonly ports: readonly PortRequest[];
  /** What it has to do with a custom executor. */
  readonly executor?: ExecutorWish | undefined;
  /** What of its resources comes out of reservations. Absent: nothing. */
  readonly reserved?: readonly ReservedPart[];
  /** Volumes that it uses. Absent: none. */
  readonly volumes?: readonly GroupVolume[];
  /** The launch whose files it takes over. Absent: none. */
  readonly predecessorLaunchId?: string;
  /** Where that launch was. Absent: on this agent. */
  readonly predecessorPlace?: PredecessorPlace;
  /** Who names it is given what the group leaves. Absent: nobody is. */
  readonly filesToken?: string;
  /** `problem` says why the task's description can't be used; `spec` then holds defaults. */
  readonly tasks: readonly { readonly info: TaskInfo; readonly spec: TaskSpec; readonly problem: string }[];
}

/** What is written before a group is started. */
export interface IntentRecord {
  readonly agentId: string;
  readonly epoch: number;
  readonly bootId: string;
  readonly launchId: string;
  readonly frameworkId: string;
  readonly frameworkName: string;
  readonly role: string;
  readonly networkMode: string;
  /** Absent in records of agents that knew the host's network alone. */
  readonly network?: GroupNetwork;
  readonly ports: readonly PortRequest[];
  readonly assigned: readonly AssignedPort[];
  readonly addressIndex?: number;
  /** Absent: no custom executor has to do with it. */
  readonly executor?: GroupExecutor | undefined;
  readonly subnets?: readonly string[];
  /** Absent: no networks beside the first. */
  readonly more?: readonly FurtherPlace[];
  /** Absent: nothing of it is reserved. */
  readonly reserved?: readonly ReservedPart[];
  /** Absent: it uses none. */
  readonly volumes?: readonly GroupVolume[];
  /** Absent: it takes over nobody's files. */
  readonly predecessorLaunchId?: string;
  /** Absent: its predecessor was on this agent. */
  readonly predecessorPlace?: PredecessorPlace | undefined;
  /** Absent: nobody is given its files. */
  readonly filesToken?: string;
  readonly tasks: readonly { readonly info: Omit<TaskInfo, "spec">; readonly spec: TaskSpec }[];
}

/** What is written whenever something of a task changes. */
export interface StateRecord {
  readonly launchId: string;
  readonly frameworkId: string;
  readonly taskId: string;
  readonly bootId: string;
  readonly phase: TaskPhase;
  readonly started: ProcStarted | null;
  /** Absent in records of agents that started nothing again. */
  readonly attempt?: number;
  readonly restartWindow?: RestartWindow | null;
  readonly nextTryAt?: number | null;
  /** Digests of the files that its process knows of. Absent: it has none. */
  readonly templates?: readonly string[];
  /** Absent in records of agents that did not count them. */
  readonly memoryKills?: number;
  /** Its artifacts are in its folders. Absent: they are not, or it has none. */
  readonly hasArtifacts?: boolean;
  readonly sequence: number;
  readonly queue: readonly TaskStatus[];
  readonly latest: TaskStatus | null;
  readonly kill: {
    readonly reason: StatusReason;
    readonly message: string;
    readonly graceMs: number;
    /** Absent in records of agents that sent the signal at once. */
    readonly delayMs?: number;
    readonly signalAt?: number | null;
  } | null;
  readonly health: Health;
  readonly endsAt: number | null;
  readonly acknowledgedAt: number | null;
  /** Present if it is an executor that has attached once. */
  readonly hasAttached?: boolean;
  /** The highest number of an update of the executor that it is given to. Absent: none, or there is none. */
  readonly executorSequence?: number;
}

/** What was found on the disk of one group. Undefined: missing or damaged. */
export interface FoundGroup {
  readonly key: string;
  readonly intent: IntentRecord | undefined;
  /** Its intent or one of its states was unreadable. */
  readonly damaged: boolean;
  /** By index of the task. */
  readonly states: ReadonlyMap<number, StateRecord>;
}

export const plainNetwork: GroupNetwork = { hostname: "", dnsServers: [], dnsSearches: [], dnsOptions: [] };

export const noTaskResources: Resources = { cpuMillis: 0, memoryMiB: 0, diskMiB: 0, portCount: 0, custom: {} };

export function pairKey(frameworkId: string, id: string): string {
  return `${frameworkId}/${id}`;
}

import type { Attribute, Resources, Unavailable, Underlay } from "@muster/proto";
import type { HostVolume } from "../volumes/host-volumes.ts";
import type { HostNetwork } from "../world/host-ports.ts";
import type { PortEnforcement } from "./core/port-watch.ts";
import type { StaticReservation } from "./core/set-aside/recover.ts";

/** What the host is and has; made by `fingerprintHost`, or by a simulator. */
export interface HostFacts {
  /** Address under which tasks' ports are reached. */
  readonly ip: string;
  /** All that tasks may use. */
  readonly resources: Resources;
  readonly attributes: readonly Attribute[];
  readonly drivers: readonly string[];
  readonly networkModes: readonly string[];
  readonly unavailable: readonly Unavailable[];
  /** How the host takes part in overlay networks; absent: it can't. */
  readonly underlay?: Underlay;
  /** Networks of the host with names, of which jobs may ask for ports. Absent: none. */
  readonly hostNetworks?: readonly HostNetwork[];
  /** Folders of the host that jobs may name. Absent: none. */
  readonly hostVolumes?: readonly HostVolume[];
  /** Whether tasks may run under accounts other than the agent's. */
  readonly mayChangeUser: boolean;
}

export interface AgentConfig {
  /** What people call it. Default: the host's name. */
  readonly name: string;
  /** Host and port at which the agent's own gRPC server is reached, for instance "127.0.0.1:5051". */
  readonly address: string;
  /** Host and port of each master; tried in turn. */
  readonly masters: readonly string[];
  /** Absolute path of the agent's own folder. */
  readonly dataFolder: string;
  readonly host: HostFacts;
  /** Of the program. */
  readonly version: string;
  /** First port of the dynamic range. Default: 20000. */
  readonly dynamicPortFirst?: number;
  /** Last port of the dynamic range. Default: 32000. */
  readonly dynamicPortLast?: number;
  /** A released port is not given again for so long unless there is no other. Default: 60,000 ms. */
  readonly portReuseAfterMs?: number;
  /** Given to every task: PATH and the like. Default: PATH alone, the standard one. */
  readonly taskEnvironment?: Readonly<Record<string, string>>;
  /** Tasks that may live at once. Default: 1,000. */
  readonly tasksMax?: number;
  /** Groups that can have an address of their own at once. Default: 4,000. */
  readonly addressesMax?: number;
  /** Health checks under way at once that the agent makes by itself: one socket each. Default: 256. */
  readonly probesMax?: number;
  /** Health checks under way at once that take processes: scripts, and those in namespaces. Default: 4 for each core. */
  readonly helperProbesMax?: number;
  /**
   * What becomes of a task in the host's network that listens on a port which its group was not given. "off": nobody
   * looks. "warn": its framework and the log are told. "kill": it is ended as failed. Default: "off".
   */
  readonly enforcePorts?: PortEnforcement;
  /** How often it is looked what such tasks listen on, while there are any. Default: 5,000 ms. */
  readonly portWatchMs?: number;
  /** How often it is looked what the files of tasks with a limit of disk take, while there are any. Default: 5,000 ms. */
  readonly diskWatchMs?: number;
  /**
   * What part of the processor that tasks were given and do not use is lent to frameworks that can cope with its being
   * taken back, 0 to 1. Default: 0, nothing is lent.
   */
  readonly lentFraction?: number;
  /** How often it is measured what tasks use, where something is lent. Default: 15,000 ms. */
  readonly lendingWatchMs?: number;
  /** How often what belongs to no task is looked for, ended and freed. Default: 60,000 ms. */
  readonly sweepMs?: number;
  /** Launches are refused when less than this is free. Default: 64 MiB. */
  readonly diskFreeBytesMin?: number;
  /** Launches are refused when less than this part is free. Default: 0.05. */
  readonly diskFreeFractionMin?: number;
  /** The longest grace of tasks when the agent shuts down and ends them. Default: 5,000 ms. */
  readonly shutdownGraceMsMax?: number;
  /** How long an agent that shuts down waits for its last statuses to be acknowledged. Default: 500 ms. */
  readonly leavingWaitMs?: number;
  /** Path of the Unix socket at which `executorHandlers` are served; empty: no custom executors. Default: empty. */
  readonly executorSocket?: string;
  /** What of the host's resources is set aside for roles from the beginning. Default: nothing. */
  readonly reservations?: readonly StaticReservation[];
  /** Sessions of Exec at once. Default: 32. */
  readonly execSessionsMax?: number;
}

export type CompleteConfig = Required<AgentConfig>;

export const agentDefaults = {
  dynamicPortFirst: 20_000,
  dynamicPortLast: 32_000,
  portReuseAfterMs: 60_000,
  taskEnvironment: { PATH: "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin" },
  tasksMax: 1_000,
  addressesMax: 4_000,
  probesMax: 256,
  enforcePorts: "off",
  portWatchMs: 5_000,
  diskWatchMs: 5_000,
  lentFraction: 0,
  lendingWatchMs: 15_000,
  sweepMs: 60_000,
  diskFreeBytesMin: 64 * 1024 * 1024,
  diskFreeFractionMin: 0.05,
  shutdownGraceMsMax: 5_000,
  leavingWaitMs: 500,
  executorSocket: "",
  reservations: [],
  execSessionsMax: 32,
} as const;

const helperProbesPerCore = 4;

export function completeConfig(config: AgentConfig): CompleteConfig {
  const cores = Math.ceil(config.host.resources.cpuMillis / 1_000);
  return { ...agentDefaults, helperProbesMax: Math.max(1, cores) * helperProbesPerCore, ...config };
}

import type { TaskLimits } from "../cgroups/limits.ts";
import type { CapabilityWish } from "../containers/capabilities.ts";
import type { TaskVolume } from "../volumes/task-volumes.ts";

/**
 * What to run. All interpolation is done; `id` is unique for ever on this agent: [A-Za-z0-9-]+ "." number, and "-" number
 * if the same command was started before in the same folders.
 */
export interface ProcSpec {
  readonly id: string;
  readonly command: string;
  readonly arguments: readonly string[];
  readonly environment: Readonly<Record<string, string>>;
  /** Account to run under; empty: the agent's own. */
  readonly user: string;
  readonly logFileBytesMax: number;
  readonly logFilesMax: number;
  /** The network that it joins; undefined: the host's. */
  readonly network: ProcNetwork | undefined;
  /** Absent: a plain process with the host's files. */
  readonly container?: ProcContainer;
  /** Folders of the agent that outlive it. Absent: none. */
  readonly volumes?: readonly TaskVolume[];
  /** Files that are in its local folder before it starts. Absent: none. */
  readonly files?: readonly GivenFile[];
  /** Its processor is lent: it has the lowest priority there is. */
  readonly isLent?: boolean;
}

export interface GivenFile {
  /** Below the local folder. */
  readonly path: string;
  readonly contentBase64: string;
}

/** Files, processes and limits of its own. */
export interface ProcContainer {
  /** Absolute path of the folder that is its root, read-only; empty: its own folder, with the host's programs in it. */
  readonly rootfs: string;
  /**
   * Layers of an image that are its root, the uppermost first, with one of its own above them, which it can write to; in
   * place of `rootfs`. Their files are in "fs" below these absolute folders.
   */
  readonly layers?: readonly string[];
  /** An Engine makes it, from the image of that id; in place of `rootfs` and `layers`. Absent: a runtime makes it. */
  readonly engineImage?: string;
  /** Where it begins, inside. */
  readonly workFolder: string;
  readonly capabilities: CapabilityWish;
  readonly limits: TaskLimits;
  /** A folder of the host that it sees, read-only: [of the host, inside]. Absent: none. */
  readonly hostFolder?: readonly [string, string];
}

/** A network of its own, and what a command sees of it. */
export interface ProcNetwork {
  /** Path of the pinned network namespace. */
  readonly namespace: string;
  readonly hostname: string;
  /** Absolute path of the folder whose files hosts, hostname and resolv.conf stand in for those of /etc. */
  readonly filesFolder: string;
}

/** Which process a task is. A pid alone says nothing: it may have been given to another since. */
export interface ProcStarted {
  readonly pid: number;
  /** Start of the process in clock ticks since the boot. */
  readonly startTicks: number;
  readonly shimPid: number;
  readonly shimStartTicks: number;
  /** Milliseconds since the epoch. */
  readonly at: number;
}

/** How a command ended: by itself with a code, or by a signal (its name; then `exitCode` is undefined). */
export interface ProcExit {
  readonly exitCode: number | undefined;
  readonly signal: string;
  /** Milliseconds since the epoch. */
  readonly at: number;
  /** So many of its processes the kernel has ended because it was at its limit of memory. Absent: none. */
  readonly memoryKills?: number;
}

/** What becomes of spawned and adopted commands. Each comes at most once per `spawn` or `adopt`, in this order. */
export interface ProcEvents {
  /** The command's own program runs: exec has succeeded. */
  started(id: string, started: ProcStarted): void;
  /** While it runs: so many of its processes the kernel has ended by now because it was at its limit of memory. */
  memoryKilled(id: string, kills: number): void;
  /** It could not be started, and why. Final. */
  failed(id: string, message: string): void;
  /** It ended, and nothing that it left behind is alive. Final. */
  exited(id: string, exit: ProcExit): void;
  /** Its supervisor died without a record; the command and what it left behind have been killed. Final. */
  lost(id: string): void;
  /** The answer to `adopt` if nothing was ever spawned under that id, or not in this boot. Final. */
  absent(id: string): void;
}

/** What an agent has records of, or is about to have. */
export interface OwnedCommands {
  /** The parts of ids before the dot. */
  readonly groups: ReadonlySet<string>;
  /** Ids of the commands among them that have not ended, also of those that are being started or looked for. */
  readonly living: ReadonlySet<string>;
}

/** Supervised commands, which outlive the agent. Calls return at once; events come later, never during a call. */
export interface Proc {
  /** Identifies the boot of the machine. */
  readonly bootId: string;
  /**
   * Called once, before anything else. `known` are the groups (the part of an id before the dot) that the agent has
   * records of: commands and folders of others are swept away.
   */
  start(events: ProcEvents, known: ReadonlySet<string>): void;
  /** Starts it, unless it was started before: one id never starts twice. */
  spawn(spec: ProcSpec): void;
  /**
   * Takes up again what an earlier life of the agent has spawned, during that boot of the machine. In another boot only
   * a recorded end counts; without one it is `absent`.
   */
  adopt(id: string, bootId: string): void;
  /** Sends a signal, by name, to the command and the group of processes that it leads. */
  signal(id: string, signal: string): void;
  /** SIGKILL for the command and everything it has brought forth; `exited` or `lost` follows. */
  kill(id: string): void;
  /** Ends and frees what belongs to nobody: commands and folders of other groups, control groups of ended commands. */
  keep(owned: OwnedCommands): void;
  /** Deletes the folders of a group of commands that have ended. */
  remove(group: string): void;
  /** Stops watching. Commands go on. */
  stop(): void;
}

import type { ProcStarted } from "./proc.ts";

/** A port that somebody has; protocol "" means both tcp and udp. */
export interface PortQuestion {
  readonly port: number;
  readonly protocol: string;
  /** The address of the host that it is wanted on; "": every one. */
  readonly ip: string;
}

/** A network of the host with a name, of which jobs may ask for ports. */
export interface HostNetwork {
  readonly name: string;
  /** The address of the host that its ports are open on. */
  readonly ip: string;
}

/** A port in use on the host, and by whom as far as that can be told ("pid 812 (nginx)"). */
export interface PortHolder {
  readonly port: number;
  readonly holder: string;
}

/** A task that runs, and which process it is. */
export interface HostTask {
  readonly id: string;
  readonly started: ProcStarted;
}

/** A port that a process of a task has bound for others to call. */
export interface TaskListener {
  /** Of the task. */
  readonly id: string;
  readonly port: number;
  readonly protocol: "tcp" | "udp";
  readonly pid: number;
  /** Name of the process's program. */
  readonly command: string;
}

/** What the kernel knows about ports. Answers come by callback, after the call has returned. */
export interface HostPorts {
  /** Those of the ports that can't be bound now. */
  check(questions: readonly PortQuestion[], done: (taken: readonly PortHolder[]) => void): void;
  /** Every port that somebody listens on or is bound to. */
  scan(done: (ports: readonly number[]) => void): void;
  /** The networks of the host that have a name, as they are now. */
  networks(done: (networks: readonly HostNetwork[]) => void): void;
  /** What processes of these tasks, which use the host's network, listen on. A socket of an outgoing connection is none. */
  listeners(tasks: readonly HostTask[], done: (found: readonly TaskListener[]) => void): void;
  /** The same of tasks of one group, in the network that they share. */
  groupListeners(tasks: readonly HostTask[], done: (found: readonly TaskListener[]) => void): void;
}

import type { AssignedPort, GroupNetwork } from "@muster/proto";

/** The network that a group of tasks is to have. All of it can be made again from this, on the same machine. */
export interface NetSpec {
  /** The group's key: never used twice on this agent. */
  readonly key: string;
  /** "none", "bridge", "cni/NAME" and so on; never "host", for which nothing is built. */
  readonly mode: string;
  /** Which of the agent's addresses it has, counted from 1; 0: none of them. */
  readonly addressIndex: number;
  readonly ports: readonly AssignedPort[];
  readonly settings: GroupNetwork;
}

export interface NetReady {
  /** Path of the pinned network namespace. */
  readonly namespace: string;
  /** Addresses under which the host reaches the group; the first is the group's own. */
  readonly ips: readonly string[];
}

/** What becomes of networks. Events come later, never during a call. */
export interface NetEvents {
  /** It is as its specification says. */
  ready(key: string, ready: NetReady): void;
  /** It can't be made, and why; nothing of it is left. */
  failed(key: string, message: string): void;
  /** Nothing of it is left. */
  gone(key: string): void;
}

/** The networks of groups on one host. They outlive the agent, like the tasks in them. */
export interface Nets {
  /** Called once, before anything else. */
  start(events: NetEvents): void;
  /** Frees what belongs to none of these: the remains of an earlier life of the agent. Called before any is built. */
  keep(specs: readonly NetSpec[]): void;
  /** Makes it, or finds it as it should be: doing it again is harmless. `ready` or `failed` follows. */
  build(spec: NetSpec): void;
  /** Removes it, whatever of it there is. `gone` follows. Every process in it has ended. */
  remove(spec: NetSpec): void;
  /** Stops watching; calls back when nothing is under way. Networks stay; what they share goes if there are none. */
  stop(done: () => void): void;
}

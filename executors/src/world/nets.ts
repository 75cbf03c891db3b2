import type { AssignedPort, GroupNetwork, OverlayNetwork, OverlaySubnet } from "@muster/proto";

/** The network that a group of tasks is to have. All of it can be made again from this, on the same machine. */
export interface NetSpec {
  /** The group's key: never used twice on this agent. */
  readonly key: string;
  /** "none", "bridge", "cni/NAME" and so on; "host" only if tasks have networks apart, for nothing else is built then. */
  readonly mode: string;
  /** Which of the agent's addresses it has, counted from 1; 0: none of them. */
  readonly addressIndex: number;
  /** The subnets in which that address is, IPv4 first. Absent or empty: those of the mode itself. */
  readonly subnets?: readonly string[];
  readonly ports: readonly AssignedPort[];
  readonly settings: GroupNetwork;
  /** Tasks with networks of their own, which are loopback alone: by the index in their group. Absent: none. */
  readonly apart?: readonly { readonly index: number; readonly hostname: string }[];
  /** Which of the group's networks it is: its link inside is eth0, eth1 and so on. Absent: the first. */
  readonly index?: number;
  /** Networks that the group has beside this one, in their order. Absent: none. */
  readonly more?: readonly Omit<NetSpec, "key" | "index" | "apart" | "more">[];
}

export interface NetReady {
  /** Path of the pinned network namespace; empty: the group has the host's. */
  readonly namespace: string;
  /** Those of tasks that have one of their own, by the index in their group. Absent: there are none. */
  readonly apart?: readonly { readonly index: number; readonly namespace: string }[];
  /** Addresses under which the host reaches the group; the first is the group's own. */
  readonly ips: readonly string[];
  /** Addresses in the networks beside the first, in their order. Absent: there are none. */
  readonly more?: readonly (readonly string[])[];
}

/** What becomes of networks. Events come later, never during a call. */
export interface NetEvents {
  /** It is as its specification says. */
  ready(key: string, ready: NetReady): void;
  /** It can't be made, and why; nothing of it is left. */
  failed(key: string, message: string): void;
  /** Nothing of it is left. */
  gone(key: string): void;
  /** How an overlay network stands on this host from now on. */
  overlay(name: string, state: OverlayState): void;
}

/** Subnets, IPv4 first, of which groups may have addresses now; or why they can't. */
export type OverlayState = { readonly subnets: readonly string[] } | { readonly reason: string };

/** What a master tells of overlay networks: first all there is, then `complete`, then what changes. */
export type OverlayNews =
  | { readonly type: "network"; readonly network: OverlayNetwork }
  | { readonly type: "subnet"; readonly subnet: OverlaySubnet }
  | { readonly type: "removal"; readonly network: string; readonly agentId: string }
  | { readonly type: "refusal"; readonly network: string; readonly reason: string }
  /** What was told of an earlier session and not since this one began is no more. */
  | { readonly type: "complete" }
  /** In place of all that: what was told of an earlier session is what there is. */
  | { readonly type: "unchanged" };

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
  /** Names all that has been told of overlay networks in earlier sessions; empty: nothing. See `overlayDigest`. */
  overlaysKnown(): string;
  /** A master has registered this agent: it is going to tell all of overlay networks anew, or that nothing has changed. */
  beginOverlays(agentId: string): void;
  /** `overlay` follows for what changes on this host. */
  tellOverlays(news: readonly OverlayNews[]): void;
  /** Stops watching; calls back when nothing is under way. Networks stay; what they share goes if there are none. */
  stop(done: () => void): void;
}

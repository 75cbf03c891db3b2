import type { FurtherNetwork, GroupNetwork } from "@muster/proto";
import { attr } from "../placement/attr.ts";
import type { PlacementConstraint } from "../placement/constraints.ts";

export interface NetworkSettings {
  /** Absent: made from the id of the group's first task. */
  readonly hostname?: string;
  /** Absent: the resolver of the agent's host. */
  readonly dns?: {
    readonly servers: readonly string[];
    readonly searches: readonly string[];
    readonly options: readonly string[];
  };
  /** Absent: none that an agent must have a network for. */
  readonly ports?: readonly {
    /** Name of the agents' network whose address the port is open on; absent: every address. */
    readonly hostNetwork?: string;
  }[];
  /** Absent: no bounds. Not of modes "host" and "none". */
  readonly limits?: NetworkBounds;
  /** Networks beside the first, in their order. Absent: none. */
  readonly more?: readonly { readonly mode: string; readonly limits?: NetworkBounds }[];
}

export interface NetworkBounds {
  /** Megabits a second to the group. */
  readonly downMbit?: number;
  /** Megabits a second from the group. */
  readonly upMbit?: number;
  /** Connections at once, in both directions. */
  readonly connections?: number;
  /** New connections a second, in both directions. */
  readonly connectionsPerSecond?: number;
}

/** How a group of tasks sees its own network, as a launch says it. */
export function groupNetwork({ hostname = "", dns, limits = {} }: NetworkSettings = {}): GroupNetwork {
  return {
    hostname,
    dnsServers: [...(dns?.servers ?? [])],
    dnsSearches: [...(dns?.searches ?? [])],
    dnsOptions: [...(dns?.options ?? [])],
    ...boundsOnWire(limits),
  };
}

/** The networks of a group beside its first, as a launch says them. */
export function furtherNetworks({ more = [] }: NetworkSettings): FurtherNetwork[] {
  return more.map(({ mode, limits = {} }) => ({ mode, ...boundsOnWire(limits) }));
}

function boundsOnWire({ downMbit, upMbit, connections, connectionsPerSecond }: NetworkBounds) {
  return {
    ...(downMbit === undefined ? {} : { downMbitMax: downMbit }),
    ...(upMbit === undefined ? {} : { upMbitMax: upMbit }),
    ...(connections === undefined ? {} : { connectionsMax: connections }),
    ...(connectionsPerSecond === undefined ? {} : { newConnectionsPerSecondMax: connectionsPerSecond }),
  };
}

/** What an agent must have for a group's network beside its mode. */
export function networkConstraints({ limits, more = [], ports = [] }: NetworkSettings): PlacementConstraint[] {
  const names = new Set(ports.flatMap(({ hostNetwork }) => hostNetwork ?? []));
  return [
    ...([limits, ...more.map((each) => each.limits)].every((each) => each === undefined)
      ? []
      : [attr("network.limits").isSet()]),
    ...[...names].map((name) => attr(`host_network.${name}`).isSet()),
  ];
}

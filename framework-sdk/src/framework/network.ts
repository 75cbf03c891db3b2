import type { GroupNetwork } from "@muster/proto";
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
  /** Absent: no bounds. Of mode "bridge" alone. */
  readonly limits?: {
    /** Megabits a second to the group. */
    readonly downMbit?: number;
    /** Megabits a second from the group. */
    readonly upMbit?: number;
    /** Connections at once, in both directions. */
    readonly connections?: number;
    /** New connections a second, in both directions. */
    readonly connectionsPerSecond?: number;
  };
}

/** How a group of tasks sees its own network, as a launch says it. */
export function groupNetwork({ hostname = "", dns, limits = {} }: NetworkSettings = {}): GroupNetwork {
  const { downMbit, upMbit, connections, connectionsPerSecond } = limits;
  return {
    hostname,
    dnsServers: [...(dns?.servers ?? [])],
    dnsSearches: [...(dns?.searches ?? [])],
    dnsOptions: [...(dns?.options ?? [])],
    ...(downMbit === undefined ? {} : { downMbitMax: downMbit }),
    ...(upMbit === undefined ? {} : { upMbitMax: upMbit }),
    ...(connections === undefined ? {} : { connectionsMax: connections }),
    ...(connectionsPerSecond === undefined ? {} : { newConnectionsPerSecondMax: connectionsPerSecond }),
  };
}

/** What an agent must have for a group's network beside its mode. */
export function networkConstraints({ limits, ports = [] }: NetworkSettings): PlacementConstraint[] {
  const names = new Set(ports.flatMap(({ hostNetwork }) => hostNetwork ?? []));
  return [
    ...(limits === undefined ? [] : [attr("network.limits").isSet()]),
    ...[...names].map((name) => attr(`host_network.${name}`).isSet()),
  ];
}

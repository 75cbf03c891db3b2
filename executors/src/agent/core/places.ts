import type { AssignedPort, FurtherNetwork, GroupNetwork, NetworkAddresses, PortRequest } from "@muster/proto";
import type { Network } from "../../networks/network.ts";
import { findNetwork } from "../../networks/networks.ts";
import type { Group } from "./model.ts";

/** One network of a group: the first, or one beside it. */
export interface Place {
  readonly mode: string;
  /** Which of the agent's addresses the group has there; 0: none. */
  addressIndex: number;
  /** The overlay subnets in which that address is; empty: it is in none. */
  subnets: readonly string[];
}

/** A network beside the first, as it is asked for and with what it was given. */
export interface FurtherPlace extends Place {
  readonly limits: Omit<FurtherNetwork, "mode">;
}

/** All networks of a group in their order. O(networks). */
export function placesOf(group: Group): Place[] {
  return [firstPlace(group), ...group.more];
}

/** The first network, whose address stands with the group itself. */
function firstPlace(group: Group): Place {
  return {
    mode: group.networkMode,
    get addressIndex() {
      return group.addressIndex;
    },
    set addressIndex(index) {
      group.addressIndex = index;
    },
    get subnets() {
      return group.subnets;
    },
    set subnets(subnets) {
      group.subnets = subnets;
    },
  };
}

/** The mode of the network that a port of a group is in; undefined: it has no such network. */
export function modeOfPort(group: Group, { network = 0 }: PortRequest | AssignedPort): string | undefined {
  return network === 0 ? group.networkMode : group.more[network - 1]?.mode;
}

export function networkOfPort(group: Group, port: PortRequest | AssignedPort): Network | undefined {
  const mode = modeOfPort(group, port);
  return mode === undefined ? undefined : findNetwork(mode);
}

/** The ports of a group that take one of the host's; the others are on an address of its own. */
export function hostPorts(group: Group): PortRequest[] {
  return group.ports.filter((port) => !networkOfPort(group, port)?.hasOwnPorts);
}

/** The group's own addresses in the network of that number; none if it is the host's, or is not there yet. */
export function ipsAt({ net }: Group, network: number): readonly string[] {
  if (net.name !== "ready") return [];
  return network === 0 ? net.ips : (net.more?.[network - 1] ?? []);
}

/** What statuses say of the networks of a group that has several; nothing of one alone. */
export function addressesOf(group: Group): NetworkAddresses[] {
  if (group.more.length === 0 || group.net.name !== "ready") return [];
  return [group.networkMode, ...group.more.map(({ mode }) => mode)].map((mode, index) => ({
    mode,
    link: `eth${index}`,
    ips: [...ipsAt(group, index)],
  }));
}

/** How a group sees its network, with the bounds of one that is beside the first. */
export function settingsAt(network: GroupNetwork, { limits }: FurtherPlace): GroupNetwork {
  const { hostname, dnsServers, dnsSearches, dnsOptions } = network;
  return { hostname, dnsServers, dnsSearches, dnsOptions, ...limits };
}

/** The modes of a group's networks, for people. */
export function modesText({ networkMode, more }: Group): string {
  return [networkMode, ...more.map(({ mode }) => mode)].join(" + ");
}

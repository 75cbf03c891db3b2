import type { NetSpec } from "../../world/nets.ts";
import { type GroupAddress, groupLinkName } from "../kernel/group-link.ts";
import { gatewayOf, groupAddress, parseSubnet, type Subnet } from "../subnets.ts";

/** How an agent's bridge is set. */
export interface BridgeSettings {
  /** For example "10.78.0.0/20"; no other network that the host reaches may overlap it. */
  readonly subnet: string;
  /** For example "fd78::/64"; empty: groups have no IPv6. */
  readonly subnet6: string;
  /** Bytes of a packet; 0: as of the host's way out. */
  readonly mtu: number;
  /** TCP ports of the host's own that groups can't reach: the agent's, and the master's if it is here. */
  readonly closedPorts: readonly number[];
  /** Who makes it: the agent itself, or CNI's usual plugins. */
  readonly driver: "own" | "cni";
}

export const bridgeDefaults: BridgeSettings = {
  subnet: "10.78.0.0/20",
  subnet6: "fd78::/64",
  mtu: 0,
  closedPorts: [],
  driver: "own",
};

/** What everything of one agent's bridge is called, and which addresses it has. */
export interface BridgePlan {
  /** Of the agent; see `ownerOf`. */
  readonly owner: string;
  /** Names of links have at most 15 bytes. */
  readonly bridge: string;
  /** Of nftables, in the family inet. */
  readonly table: string;
  readonly subnet: Subnet;
  /** Undefined: no IPv6. */
  readonly subnet6: Subnet | undefined;
  readonly mtu: number;
  readonly closedPorts: readonly number[];
}

export function planBridge(owner: string, settings: BridgeSettings, hasIpv6: boolean): BridgePlan {
  const subnet6 = settings.subnet6 === "" ? undefined : parseSubnet(settings.subnet6, "ipv6", "bridgeSubnet6");
  return {
    owner,
    bridge: `mb${owner}`,
    table: `muster_${owner}`,
    subnet: parseSubnet(settings.subnet, "ipv4", "bridgeSubnet"),
    subnet6: hasIpv6 ? subnet6 : undefined,
    mtu: settings.mtu,
    closedPorts: settings.closedPorts,
  };
}

export function linkOf(plan: BridgePlan, spec: NetSpec): string {
  return groupLinkName("mv", plan.owner, spec);
}

/** Hardware address of a group's end; the bridge's is number 0. Locally administered, and unlike those of other agents. */
export function hardwareAddress(plan: BridgePlan, index: number): string {
  const parts = [plan.owner.slice(0, 2), plan.owner.slice(2, 4), plan.owner.slice(4, 6)];
  return ["02", ...parts, index >> 8, index & 255]
    .map((part) => (typeof part === "number" ? part.toString(16).padStart(2, "0") : part))
    .join(":");
}

/** The addresses of the group with that index, IPv4 first. */
export function groupAddresses({ subnet, subnet6 }: BridgePlan, index: number): GroupAddress[] {
  return [subnet, ...(subnet6 ? [subnet6] : [])].map((one) => ({ ip: groupAddress(one, index), subnet: one }));
}

export function groupIps(plan: BridgePlan, index: number): string[] {
  return groupAddresses(plan, index).map(({ ip }) => ip);
}

/** The addresses of the bridge, each with its subnet's prefix. */
export function bridgeIps({ subnet, subnet6 }: BridgePlan): string[] {
  return [subnet, ...(subnet6 ? [subnet6] : [])].map((one) => `${gatewayOf(one)}/${one.prefix}`);
}

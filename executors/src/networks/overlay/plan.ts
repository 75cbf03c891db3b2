import { createHash } from "node:crypto";
import type { OverlayNetwork, OverlaySubnet } from "@muster/proto";
import { parseSubnet, type Subnet } from "../subnets.ts";

/** Where this host's packets of overlay networks go out and come in. */
export interface UnderlayAddress {
  /** Address that other hosts send to, IPv4 or IPv6. */
  readonly ip: string;
  /** For packets of IPv6 without a tunnel; empty: there is none. */
  readonly ip6: string;
}

/** What everything of one overlay network on one host is called, and which addresses it has. */
export interface OverlayPlan {
  /** Of the agent; see `ownerOf`. */
  readonly owner: string;
  readonly network: OverlayNetwork;
  readonly own: OverlaySubnet;
  /** VXLAN's; back ends without a tunnel have none. */
  readonly device: string;
  readonly bridge: string;
  /** Of nftables, in the family inet. */
  readonly table: string;
  readonly subnet: Subnet;
  /** Undefined: no IPv6. */
  readonly subnet6: Subnet | undefined;
}

/** Names of links have at most 15 bytes: what does not fit is hashed, not cut. */
export function planOverlay(owner: string, network: OverlayNetwork, own: OverlaySubnet, hasIpv6: boolean): OverlayPlan {
  const hash = createHash("sha256").update(`${owner}/overlay/${network.name}`).digest("hex").slice(0, 12);
  return {
    owner,
    network,
    own,
    device: `mo${hash}`,
    bridge: `mp${hash}`,
    table: `muster_${owner}_${hash}`,
    subnet: parseSubnet(own.subnet, "ipv4", "subnet"),
    subnet6: own.subnet6 !== "" && hasIpv6 ? parseSubnet(own.subnet6, "ipv6", "subnet6") : undefined,
  };
}

/** Whether packets to some hosts go through a tunnel. */
export function hasTunnel({ network }: OverlayPlan): boolean {
  return network.backend === "vxlan";
}

/** The subnets of the plan as groups have them, IPv4 first. */
export function subnetsOf({ subnet, subnet6 }: OverlayPlan): string[] {
  return [subnet.text, ...(subnet6 ? [subnet6.text] : [])];
}

/** The first address of a subnet: the end of the tunnel to it is called so. */
export function firstOf(subnet: string): string {
  return subnet.slice(0, subnet.lastIndexOf("/"));
}

/**
 * Hardware address of the end of the tunnel to a subnet. It follows from the subnet, which only one network has, so that
 * every host knows those of all others, and a device that is made anew keeps its own.
 */
export function tunnelHardware({ subnet }: OverlaySubnet): string {
  return hardware(["02", "4d", ...firstOf(subnet).split(".").map(hexOf)]);
}

/** Hardware address of the bridge. */
export function bridgeHardware({ own }: OverlayPlan): string {
  return hardware(["06", "4d", ...firstOf(own.subnet).split(".").map(hexOf)]);
}

/** Hardware address of a group's end: its IPv4 address in another form. */
export function groupHardware(ip: string): string {
  return hardware(["0a", "4d", ...ip.split(".").map(hexOf)]);
}

/** Subnets as they stand in a group's record. */
export function parseSubnets(texts: readonly string[]): Subnet[] {
  return texts.map((text) => parseSubnet(text, text.includes(":") ? "ipv6" : "ipv4", "subnets"));
}

function hexOf(byte: string): string {
  return Number(byte).toString(16).padStart(2, "0");
}

function hardware(parts: readonly string[]): string {
  return parts.join(":");
}

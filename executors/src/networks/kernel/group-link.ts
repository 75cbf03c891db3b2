import { createHash } from "node:crypto";
import type { NetSpec } from "../../world/nets.ts";
import { gatewayOf, type Subnet } from "../subnets.ts";
import { hasLink } from "./host.ts";
import { runTool } from "./run-tool.ts";
import { leadBack, type WayBack } from "./ways-back.ts";

/** An address of a group, and the network that it is reached in. */
export interface GroupAddress {
  readonly ip: string;
  readonly subnet: Subnet;
  /** All of a network that is wider than the subnet. */
  readonly range?: string;
}

export interface GroupLink {
  /** Name of the host's end. */
  readonly link: string;
  readonly bridge: string;
  /** Bytes of a packet. */
  readonly mtu: number;
  /** Hardware address of the group's end. */
  readonly hardware: string;
  /** Name of the group's end. */
  readonly inside: string;
}

/**
 * Name of the host's end of a group's link, at most 15 bytes: never used twice, for the kernel lets go of one a while after
 * its namespace. `prefix` has two characters and tells network modes apart.
 */
export function groupLinkName(prefix: string, owner: string, { key, index = 0 }: NetSpec): string {
  const name = index === 0 ? `${owner}/${key}` : `${owner}/${key}/${index}`;
  return `${prefix}${createHash("sha256").update(name).digest("hex").slice(0, 13)}`;
}

/** Name of a group's end of its link. */
export function linkInside({ index = 0 }: NetSpec): string {
  return `eth${index}`;
}

/** Lines for `ip` that join a group's namespace to a bridge, or make sure that it is joined. */
export function joinLines({ link, bridge, mtu, hardware, inside }: GroupLink, namespace: string): string[] {
  const joined = [`link set ${link} master ${bridge} addrgenmode none up`];
  if (hasLink(link)) return joined;
  return [
    `link add ${link} mtu ${mtu} type veth peer name ${inside} mtu ${mtu} address ${hardware} netns ${namespace}`,
    ...joined,
  ];
}

/** What is inside a namespace: loopback, addresses, ways out. IPv6 without a second and a half of waiting for doubles. */
export async function furnish(namespace: string, addresses: readonly GroupAddress[], index = 0): Promise<void> {
  const link = `eth${index}`;
  const lines = ["link set lo up"];
  for (const address of addresses)
    lines.push(`addr replace ${address.ip}/${address.subnet.prefix} dev ${link}${isV6(address) ? " nodad" : ""}`);
  lines.push(`link set ${link} up`);
  for (const address of addresses) {
    if (index === 0) lines.push(wayOut(address, link));
    else if (address.range) lines.push(`route replace ${address.range} via ${gatewayOf(address.subnet)} dev ${link}`);
  }
  await runTool("ip", ["-n", namespace, "-batch", "-"], `${lines.join("\n")}\n`);
  if (index === 0) return;
  const ways = addresses.map(({ ip, subnet }): WayBack => ({ ip, gateway: gatewayOf(subnet) }));
  await leadBack(namespace, index, ways);
}

function wayOut({ ip, subnet }: GroupAddress, link: string): string {
  return `route replace ${isV6({ ip }) ? "::/0" : "default"} via ${gatewayOf(subnet)} dev ${link}`;
}

function isV6({ ip }: Pick<GroupAddress, "ip">): boolean {
  return ip.includes(":");
}

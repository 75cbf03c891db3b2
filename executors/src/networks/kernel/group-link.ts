import { createHash } from "node:crypto";
import { gatewayOf, type Subnet } from "../subnets.ts";
import { hasLink } from "./host.ts";
import { runTool } from "./run-tool.ts";

/** An address of a group, and the network that it is reached in. */
export interface GroupAddress {
  readonly ip: string;
  readonly subnet: Subnet;
}

export interface GroupLink {
  /** Name of the host's end. */
  readonly link: string;
  readonly bridge: string;
  /** Bytes of a packet. */
  readonly mtu: number;
  /** Hardware address of the group's end. */
  readonly hardware: string;
}

/**
 * Name of the host's end of a group's link, at most 15 bytes: never used twice, for the kernel lets go of one a while after
 * its namespace. `prefix` has two characters and tells network modes apart.
 */
export function groupLinkName(prefix: string, owner: string, key: string): string {
  return `${prefix}${createHash("sha256").update(`${owner}/${key}`).digest("hex").slice(0, 13)}`;
}

/** Lines for `ip` that join a group's namespace to a bridge, or make sure that it is joined. */
export function joinLines({ link, bridge, mtu, hardware }: GroupLink, namespace: string): string[] {
  const joined = [`link set ${link} master ${bridge} addrgenmode none up`];
  if (hasLink(link)) return joined;
  return [
    `link add ${link} mtu ${mtu} type veth peer name eth0 mtu ${mtu} address ${hardware} netns ${namespace}`,
    ...joined,
  ];
}

/** What is inside a namespace: loopback, addresses, ways out. IPv6 without a second and a half of waiting for doubles. */
export async function furnish(namespace: string, addresses: readonly GroupAddress[]): Promise<void> {
  const isV6 = ({ ip }: GroupAddress): boolean => ip.includes(":");
  const lines = ["link set lo up"];
  for (const address of addresses)
    lines.push(`addr replace ${address.ip}/${address.subnet.prefix} dev eth0${isV6(address) ? " nodad" : ""}`);
  lines.push("link set eth0 up");
  for (const address of addresses)
    lines.push(`route replace ${isV6(address) ? "::/0" : "default"} via ${gatewayOf(address.subnet)} dev eth0`);
  await runTool("ip", ["-n", namespace, "-batch", "-"], `${lines.join("\n")}\n`);
}

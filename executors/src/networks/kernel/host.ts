import { existsSync, promises as fs, readdirSync, readFileSync } from "node:fs";
import { overlaps, type Subnet } from "../subnets.ts";
import { runTool } from "./run-tool.ts";

/** Bytes of a packet where nothing else is known. */
const mtuDefault = 1_500;

/** Whether a link of that name is there. */
export function hasLink(name: string): boolean {
  return existsSync(`/sys/class/net/${name}`);
}

/** Links that hang on a bridge. */
export function linksOf(bridge: string): string[] {
  try {
    return readdirSync(`/sys/class/net/${bridge}/brif`);
  } catch {
    return [];
  }
}

/** Whether the host has IPv6 at all. */
export function hasIpv6(): boolean {
  return readWord("/proc/sys/net/ipv6/conf/all/disable_ipv6") === "0";
}

/** Bytes of a packet on the host's way out. */
export function uplinkMtu(): number {
  const routes = read("/proc/net/route").split("\n").slice(1);
  const [device] = routes.find((line) => line.split("\t")[1] === "00000000")?.split("\t") ?? [];
  return Number(readWord(`/sys/class/net/${device}/mtu`)) || mtuDefault;
}

/** Lets the host pass on packets, and its loopback addresses lead to the bridge. What is so already is left alone. */
export async function openHost(bridge: string, withIpv6: boolean): Promise<void> {
  await forwardPackets(bridge, withIpv6);
  await setting(`net/ipv4/conf/${bridge}/route_localnet`, "1");
}

/** Lets the host pass on packets from and to a bridge. What is so already is left alone. */
export async function forwardPackets(bridge: string, withIpv6: boolean): Promise<void> {
  await setting("net/ipv4/ip_forward", "1");
  if (!withIpv6) return;
  // Until its own address is known not to have a double, a bridge does not look for neighbours: 1.5 s of silence.
  await setting(`net/ipv6/conf/${bridge}/accept_dad`, "0");
  if (readWord("/proc/sys/net/ipv6/conf/all/forwarding") === "1") return;
  // A host that forwards no longer listens to routers, unless it is told to do both.
  for (const link of readdirSync("/proc/sys/net/ipv6/conf"))
    if (readWord(`/proc/sys/net/ipv6/conf/${link}/accept_ra`) === "1")
      await setting(`net/ipv6/conf/${link}/accept_ra`, "2");
  await setting("net/ipv6/conf/all/forwarding", "1");
}

interface RouteText {
  readonly dst: string;
  readonly dev?: string;
  readonly protocol?: string;
}

/**
 * The host's route that has an address in common with the subnet, as "10.0.0.0/8 on eth1"; undefined: none has. Those on
 * links of our own don't count, nor those that we or our programs have made elsewhere.
 */
export async function overlappingRoute(
  subnet: Subnet,
  ownLinks: readonly string[],
  ownProtocols: readonly string[] = [],
): Promise<string | undefined> {
  const family = subnet.bytes.length === 4 ? "-4" : "-6";
  const routes = JSON.parse((await runTool("ip", ["-j", family, "route", "show"])) || "[]") as RouteText[];
  const found = routes.find(({ dst, dev = "", protocol = "" }) => {
    if (dst === "default" || ownLinks.includes(dev) || ownProtocols.includes(protocol)) return false;
    return overlaps(subnet, dst.includes("/") ? dst : `${dst}/${dst.includes(":") ? 128 : 32}`);
  });
  return found && `${found.dst} on ${found.dev ?? "no link"}`;
}

async function setting(name: string, value: string): Promise<void> {
  const path = `/proc/sys/${name}`;
  if (readWord(path) === value) return;
  await fs.writeFile(path, value);
}

function readWord(path: string): string {
  return read(path).trim();
}

function read(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
}

import { accessSync, constants } from "node:fs";
import { networkInterfaces } from "node:os";
import type { Unavailable, Underlay } from "@muster/proto";
import { runTool } from "../../networks/kernel/run-tool.ts";

/** Where Debian and others put programs for administrators, whatever the agent's PATH says. */
const birdPlaces = ["/usr/sbin/bird", "/usr/bin/bird", "/usr/local/sbin/bird"];

export interface OverlayBackends {
  /** Undefined: groups can't be in overlay networks, and `unavailable` says why. */
  readonly underlay: Underlay | undefined;
  readonly unavailable: readonly Unavailable[];
}

/** Finds out which back ends of overlay networks work, in a namespace that goes again. */
export async function findOverlayBackends(probe: string, ip: string, ip6: string): Promise<OverlayBackends> {
  const nftFault = await faultOf(runTool("ip", ["netns", "exec", probe, "nft", "list", "tables"]));
  if (nftFault !== undefined) {
    const reason = /exec of "nft" failed/.test(nftFault) ? "nft was not found: apt-get install nftables" : nftFault;
    return { underlay: undefined, unavailable: [{ name: "network/overlay", reason }] };
  }
  const device = ["-n", probe, "link", "add", "musterx", "type", "vxlan", "id", "1", "dstport", "4789", "nolearning"];
  const tunnelFault = await faultOf(runTool("ip", device));
  const bridgeFault = await faultOf(runTool("bridge", ["-V"]));
  const unavailable: Unavailable[] = [];
  const backends = ["host-gw"];
  if (tunnelFault === undefined && bridgeFault === undefined) backends.unshift("vxlan");
  else {
    const reason = tunnelFault === undefined ? "bridge was not found: apt-get install iproute2" : modprobe(tunnelFault);
    unavailable.push({ name: "backend/vxlan", reason });
  }
  if (findBird() !== undefined) backends.push("bgp");
  else unavailable.push({ name: "backend/bgp", reason: "bird was not found: apt-get install bird2" });
  return { underlay: { ip, ip6, backends, knownDigest: "" }, unavailable };
}

/** The program that speaks BGP; undefined: it is not here. */
export function findBird(): string | undefined {
  return birdPlaces.find((path) => {
    try {
      accessSync(path, constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}

/** A routable IPv6 address of the link that has that address; empty: there is none. */
export function ip6Beside(ip: string): string {
  const link = Object.values(networkInterfaces()).find((all) => all?.some(({ address }) => address === ip));
  const found = link?.find(
    ({ family, internal, address }) => family === "IPv6" && !internal && !/^fe80/i.test(address),
  );
  return found?.address ?? "";
}

function modprobe(fault: string): string {
  return /not supported|Unknown device type/.test(fault) ? "the kernel has no VXLAN: modprobe vxlan" : fault;
}

async function faultOf(run: Promise<string>): Promise<string | undefined> {
  return await run.then(
    () => undefined,
    ({ message }: Error) => message,
  );
}

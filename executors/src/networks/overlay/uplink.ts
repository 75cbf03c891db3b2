import { networkInterfaces } from "node:os";
import ipaddr from "ipaddr.js";
import { runTool } from "../kernel/run-tool.ts";
import type { UnderlayAddress } from "./plan.ts";

/** Bytes that VXLAN puts around a packet. */
const tunnelBytes = { ipv4: 50, ipv6: 70 } as const;
/** The kernel's own bound for packets of a tunnel. */
const packetBytesMax = 65_465;

/** The link by which this host reaches others, as it is now. */
export interface Uplink {
  readonly name: string;
  readonly ip: string;
  /** Bytes of a packet. */
  readonly mtu: number;
  /** Whether an address is on that link, so that no router is in between. */
  isOnLink(ip: string): boolean;
}

/** Finds the link that has the address; throws if there is none. */
export async function findUplink({ ip }: UnderlayAddress): Promise<Uplink> {
  const found = Object.entries(networkInterfaces()).find(([, all]) => all?.some(({ address }) => address === ip));
  if (!found) throw new Error(`no link of this host has the address ${ip}: give the agent another with --overlay-ip`);
  const [name, addresses = []] = found;
  const [link] = JSON.parse(await runTool("ip", ["-j", "link", "show", "dev", name])) as { mtu: number }[];
  const ranges = addresses.flatMap(({ cidr }) => (cidr === null ? [] : [ipaddr.parseCIDR(cidr)]));
  return {
    name,
    ip,
    mtu: link?.mtu ?? 1_500,
    isOnLink: (other) => {
      const address = ipaddr.parse(other);
      return ranges.some((range) => range[0].kind() === address.kind() && address.match(range));
    },
  };
}

/** Bytes of a packet inside the network, so that it never has to be cut on its way. */
export function mtuInside({ ip, mtu }: Uplink, isTunnel: boolean): number {
  if (!isTunnel) return mtu;
  return Math.min(packetBytesMax, mtu - (ip.includes(":") ? tunnelBytes.ipv6 : tunnelBytes.ipv4));
}

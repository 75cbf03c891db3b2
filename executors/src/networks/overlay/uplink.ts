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

/** Finds the link that has the address, whether or not it works now; throws if there is none. */
export async function findUplink({ ip }: UnderlayAddress): Promise<Uplink> {
  const [found] = await addresses("to", ip);
  if (!found) throw new Error(`no link of this host has the address ${ip}: give the agent another with --overlay-ip`);
  const [link = found] = await addresses("dev", found.ifname);
  const ranges = link.addr_info.map(({ local, prefixlen }) => ipaddr.parseCIDR(`${local}/${prefixlen}`));
  return {
    name: link.ifname,
    ip,
    mtu: link.mtu,
    isOnLink: (other) => {
      const address = ipaddr.parse(other);
      return ranges.some((range) => range[0].kind() === address.kind() && address.match(range));
    },
  };
}

interface LinkAddresses {
  readonly ifname: string;
  readonly mtu: number;
  readonly addr_info: readonly { readonly local: string; readonly prefixlen: number }[];
}

/** Links with their addresses, as `ip` tells them. */
async function addresses(...words: string[]): Promise<LinkAddresses[]> {
  const found = JSON.parse((await runTool("ip", ["-j", "addr", "show", ...words])) || "[]") as Partial<LinkAddresses>[];
  return found.flatMap(({ ifname, mtu = 1_500, addr_info = [] }) =>
    ifname === undefined || addr_info.length === 0 ? [] : [{ ifname, mtu, addr_info }],
  );
}

/** Bytes of a packet inside the network, so that it never has to be cut on its way. */
export function mtuInside({ ip, mtu }: Uplink, isTunnel: boolean): number {
  if (!isTunnel) return mtu;
  return Math.min(packetBytesMax, mtu - (ip.includes(":") ? tunnelBytes.ipv6 : tunnelBytes.ipv4));
}

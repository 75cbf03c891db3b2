import ipaddr from "ipaddr.js";
import { leaveDocker, passDocker } from "../bridge/docker-user.ts";
import { forwardPackets, overlappingRoute } from "../kernel/host.ts";
import type { IpBatch } from "../kernel/ip-batch.ts";
import type { NftBatch } from "../kernel/nft-batch.ts";
import { runToEnd } from "../kernel/run-tool.ts";
import { gatewayOf } from "../subnets.ts";
import { routeProtocol } from "./entries.ts";
import { bridgeHardware, firstOf, hasTunnel, type OverlayPlan, tunnelHardware } from "./plan.ts";
import { overlayRules } from "./rules.ts";
import { mtuInside, type Uplink } from "./uplink.ts";

export interface DeviceParts {
  readonly ip: IpBatch;
  readonly nft: NftBatch;
  /** TCP ports of the host's own that groups can't reach. */
  readonly closedPorts: readonly number[];
}

/**
 * Makes the device, the bridge and the rules of a network, or what of them is missing or not as it should be. True if
 * something was made anew, with which its entries are lost.
 */
export async function ensureDevices(plan: OverlayPlan, uplink: Uplink, parts: DeviceParts): Promise<boolean> {
  const { device, bridge, subnet, subnet6 } = plan;
  const mtu = mtuInside(uplink, hasTunnel(plan));
  const [deviceThere, bridgeThere, table] = await Promise.all([
    findLink(device),
    findLink(bridge),
    runToEnd("nft", ["list", "table", "inet", plan.table]),
  ]);
  const isRight = deviceThere !== undefined && isAsPlanned(deviceThere, plan, uplink, mtu);
  const isNewDevice = hasTunnel(plan) && !isRight;
  const lines: string[] = [];
  if (deviceThere && !(hasTunnel(plan) && isRight)) lines.push(`link del ${device}`);
  if (isNewDevice)
    lines.push(
      `link add ${device} address ${tunnelHardware(plan.own)} mtu ${mtu} type vxlan id ${plan.network.vni} local ${uplink.ip} dev ${uplink.name} dstport ${plan.network.port} nolearning`,
    );
  if (hasTunnel(plan) && (isNewDevice || !deviceThere?.flags.includes("UP")))
    lines.push(`addr replace ${firstOf(plan.own.subnet)}/32 dev ${device}`, `link set ${device} addrgenmode none up`);
  if (!bridgeThere) {
    await refuseOverlap(plan);
    lines.push(`link add ${bridge} address ${bridgeHardware(plan)} mtu ${mtu} type bridge mcast_snooping 0`);
  } else if (bridgeThere.mtu !== mtu) lines.push(`link set ${bridge} mtu ${mtu}`);
  await parts.ip.run(lines);
  if (!bridgeThere) await forwardPackets(bridge, subnet6 !== undefined);
  if (!bridgeThere?.flags.includes("UP") || isNewDevice)
    await parts.ip.run([
      ...[subnet, ...(subnet6 ? [subnet6] : [])].map(
        (one) => `addr replace ${gatewayOf(one)}/${one.prefix} dev ${bridge}${one === subnet6 ? " nodad" : ""}`,
      ),
      `link set ${bridge} up`,
    ]);
  if (table.code !== 0 || !bridgeThere) {
    await parts.nft.apply(overlayRules(plan, parts.closedPorts));
    await passDocker(plan);
  }
  return isNewDevice || !bridgeThere;
}

/** Nothing of it is left; routes and neighbours go with their links. Doing it twice is harmless. */
export async function removeDevices(plan: OverlayPlan, { ip, nft }: DeviceParts): Promise<void> {
  const { table, bridge, device } = plan;
  await leaveDocker(plan);
  await nft.apply(`add table inet ${table}\ndelete table inet ${table}`);
  const there = await Promise.all([device, bridge].map(findLink));
  await ip.run(there.flatMap((link) => (link ? [`link del ${link.ifname}`] : [])));
}

interface LinkText {
  readonly ifname: string;
  readonly mtu: number;
  readonly address?: string;
  readonly flags: readonly string[];
  readonly linkinfo?: {
    readonly info_kind?: string;
    readonly info_data?: { readonly id?: number; readonly port?: number; readonly link?: string } & Local;
  };
}

interface Local {
  readonly local?: string;
  readonly local6?: string;
}

/** The link of that name; undefined: there is none. */
async function findLink(name: string): Promise<LinkText | undefined> {
  const { code, output } = await runToEnd("ip", ["-j", "-d", "link", "show", "dev", name]);
  return code === 0 ? (JSON.parse(output) as LinkText[])[0] : undefined;
}

function isAsPlanned({ mtu, address, linkinfo }: LinkText, plan: OverlayPlan, uplink: Uplink, wanted: number): boolean {
  const { id, port, link, local, local6 } = linkinfo?.info_data ?? {};
  return (
    linkinfo?.info_kind === "vxlan" &&
    id === plan.network.vni &&
    port === plan.network.port &&
    link === uplink.name &&
    (local ?? local6) === uplink.ip &&
    address === tunnelHardware(plan.own) &&
    mtu === wanted
  );
}

/** The host reaches part of the network by another way: packets would go astray. */
async function refuseOverlap({ network, bridge, device }: OverlayPlan): Promise<void> {
  for (const cidr of [network.cidr, network.cidr6]) {
    if (cidr === "") continue;
    const [address, prefix] = ipaddr.parseCIDR(cidr);
    const range = { text: cidr, prefix, bytes: address.toByteArray() };
    const route = await overlappingRoute(range, [bridge, device], [String(routeProtocol), "bird"]);
    if (route !== undefined)
      throw new Error(`the network's range ${cidr} overlaps the host's route ${route}: give it another at the master`);
  }
}

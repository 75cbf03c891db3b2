import { isIP } from "node:net";
import { invalid, type MusterError } from "@muster/foundation";
import type { OverlayChange, OverlayNetwork, OverlaySubnet } from "@muster/proto";
import ipaddr from "ipaddr.js";
import type { OverlayNews } from "../world/nets.ts";

/** Back ends that this version knows. */
const backends = ["vxlan", "host-gw", "bgp"];

/** Copies news of overlay networks from the wire: nothing of the message is kept. What can't be used is told, and left out. */
export function overlayNewsFromWire(
  changes: readonly OverlayChange[],
  refused: (fault: MusterError) => void,
): OverlayNews[] {
  const news: OverlayNews[] = [];
  for (const [index, change] of changes.entries()) {
    const one = newsOf(change, `overlay_changes[${index}]`);
    if (one instanceof Error) refused(one);
    else if (one) news.push(one);
  }
  return news;
}

function newsOf(change: OverlayChange, field: string): OverlayNews | MusterError | undefined {
  const { network, subnet, removal, refusal, complete, unchanged } = change;
  if (network) return networkFault(network, `${field}.network`) ?? { type: "network", network: copyNetwork(network) };
  if (subnet) return subnetFault(subnet, `${field}.subnet`) ?? { type: "subnet", subnet: copySubnet(subnet) };
  if (removal) return { type: "removal", network: removal.network, agentId: removal.agentId };
  if (refusal) return { type: "refusal", network: refusal.network, reason: refusal.reason };
  if (unchanged) return { type: "unchanged" };
  return complete ? { type: "complete" } : undefined;
}

function networkFault(
  { name, cidr, cidr6, backend, vni, port }: OverlayNetwork,
  field: string,
): MusterError | undefined {
  if (!/^[a-z0-9][a-z0-9-]{0,31}$/.test(name)) return invalid(`${field}.name`, `"${name}" is no name of a network`);
  if (!isRange(cidr, 4)) return invalid(`${field}.cidr`, `"${cidr}" is no IPv4 range`);
  if (cidr6 !== "" && !isRange(cidr6, 6)) return invalid(`${field}.cidr6`, `"${cidr6}" is no IPv6 range`);
  if (!backends.includes(backend)) return invalid(`${field}.backend`, `"${backend}" is not known to this agent`);
  if (vni < 1 || vni >= 2 ** 24) return invalid(`${field}.vni`, `${vni} is not 1 to 16777215`);
  return port < 1 || port > 65_535 ? invalid(`${field}.port`, `${port} is no port`) : undefined;
}

function subnetFault(one: OverlaySubnet, field: string): MusterError | undefined {
  if (one.network === "" || one.agentId === "") return invalid(field, "lacks its network or its agent");
  if (!isRange(one.subnet, 4)) return invalid(`${field}.subnet`, `"${one.subnet}" is no IPv4 range`);
  if (one.subnet6 !== "" && !isRange(one.subnet6, 6))
    return invalid(`${field}.subnet6`, `"${one.subnet6}" is no IPv6 range`);
  if (isIP(one.underlayIp) === 0) return invalid(`${field}.underlay_ip`, `"${one.underlayIp}" is no address`);
  const { underlayIp6 } = one;
  return underlayIp6 === "" || isIP(underlayIp6) === 6
    ? undefined
    : invalid(`${field}.underlay_ip6`, `"${underlayIp6}" is no IPv6 address`);
}

/** Both programs of the kernel and files are given these words: only what is written in the usual form passes. */
function isRange(text: string, family: 4 | 6): boolean {
  if (!/^[0-9a-f.:]+\/\d{1,3}$/.test(text) || !ipaddr.isValidCIDR(text)) return false;
  const [address] = ipaddr.parseCIDR(text);
  return address.kind() === `ipv${family}`;
}

function copyNetwork(network: OverlayNetwork): OverlayNetwork {
  const { name, cidr, cidr6, subnetPrefix, backend, vni, port, directRouting } = network;
  return { name, cidr, cidr6, subnetPrefix, backend, vni, port, directRouting };
}

function copySubnet({ network, agentId, subnet, subnet6, underlayIp, underlayIp6 }: OverlaySubnet): OverlaySubnet {
  return { network, agentId, subnet, subnet6, underlayIp, underlayIp6 };
}

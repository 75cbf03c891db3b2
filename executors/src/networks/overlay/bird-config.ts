import type { OverlaySubnet } from "@muster/proto";
import { type OverlayPlan, subnetsOf } from "./plan.ts";

/** All hosts are one autonomous system of BGP, of the range that is for private use. */
const systemNumber = 64_512;
/** A peer that is silent for so long is gone; its routes go with it. Seconds. */
export const holdSeconds = 9;

/** A network as BGP is to speak of it. */
export interface SpokenNetwork {
  readonly plan: OverlayPlan;
  readonly peers: readonly OverlaySubnet[];
}

export interface Speaker {
  /** The host's link to other hosts. */
  readonly uplink: string;
  readonly ip: string;
  /** Empty: no routes of IPv6 are exchanged. */
  readonly ip6: string;
}

/**
 * What BIRD is to do: tell the host's own subnets to all peers, and give the kernel those of the peers. Its own are told
 * as unreachable: within the host the bridge's route, which is not BIRD's, is there for them.
 */
export function birdConfig(networks: readonly SpokenNetwork[], { uplink, ip, ip6 }: Speaker): string {
  const own = networks.flatMap(({ plan }) => subnetsOf(plan));
  const v4 = networks.map(({ plan }) => `${plan.network.cidr}+`);
  const v6 = networks.flatMap(({ plan }) =>
    plan.subnet6 && plan.network.cidr6 !== "" ? [`${plan.network.cidr6}+`] : [],
  );
  const routes = (subnets: readonly string[]): string => subnets.map((one) => `route ${one} unreachable;`).join(" ");
  const has6 = ip6 !== "" && v6.length > 0;
  // Two networks may have the same hosts: one session is enough for all.
  const peers = new Map<string, OverlaySubnet & { readonly port: number }>();
  for (const { plan, peers: all } of networks)
    for (const peer of all)
      if (peer.agentId !== plan.own.agentId) peers.set(peer.underlayIp, { ...peer, port: plan.network.port });
  return [
    `router id ${routerId(networks)};`,
    "protocol device { scan time 10; }",
    // Without it the way to a peer that is told of by its address is not known, and its routes lead nowhere.
    `protocol direct { ipv4; ipv6; interface "${uplink}"; }`,
    `protocol static own4 { ipv4; ${routes(own.filter((one) => !one.includes(":")))} }`,
    ...(has6 ? [`protocol static own6 { ipv6; ${routes(own.filter((one) => one.includes(":")))} }`] : []),
    "protocol kernel kernel4 { ipv4 { import none; export where source = RTS_BGP; }; }",
    ...(has6 ? ["protocol kernel kernel6 { ipv6 { import none; export where source = RTS_BGP; }; }"] : []),
    ...[...peers.values()].map((peer, index) =>
      [
        `protocol bgp peer${index} {`,
        `local ${ip} port ${peer.port} as ${systemNumber};`,
        `neighbor ${peer.underlayIp} port ${peer.port} as ${systemNumber};`,
        `connect delay time 1; connect retry time 3; error wait time 1, 5; hold time ${holdSeconds};`,
        channel("ipv4", v4, "next hop self;"),
        ...(has6 && peer.underlayIp6 !== "" ? [channel("ipv6", v6, `next hop address ${ip6};`)] : []),
        "}",
      ].join(" "),
    ),
    "",
  ].join("\n");
}

/** Only ranges of our networks are believed, and only the host's own subnets are told. */
function channel(family: string, ranges: readonly string[], nextHop: string): string {
  return `${family} { import where net ~ [ ${ranges.join(", ")} ]; export where source = RTS_STATIC; ${nextHop} };`;
}

/** A number in the form of an IPv4 address, unlike that of every other host: the first subnet's. */
function routerId(networks: readonly SpokenNetwork[]): string {
  const [first] = networks.map(({ plan }) => plan.own.subnet);
  return first?.slice(0, first.indexOf("/")) ?? "0.0.0.1";
}

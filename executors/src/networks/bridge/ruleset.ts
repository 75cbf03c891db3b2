import { isIP } from "node:net";
import type { AssignedPort } from "@muster/proto";
import type { NetSpec } from "../../world/nets.ts";
import { type BridgePlan, groupIps } from "./settings.ts";

/** Where machines of clouds are told who they are, with credentials: nothing for tasks. */
const metadataIps = { ip: "169.254.169.254", ip6: "fd00:ec2::254" } as const;

/**
 * The rules that all groups share, in a form that may be loaded again: the ports in the maps stay. Ports of the host lead
 * to groups through the maps, so that a group costs no rule.
 */
export function sharedRules(plan: BridgePlan): string {
  const { table, bridge, subnet, subnet6, closedPorts } = plan;
  // Ports of one address of the host come first, then those of all.
  const toGroups = [
    "dnat ip to ip daddr . meta l4proto . th dport map @ha4",
    "fib daddr type local dnat ip to meta l4proto . th dport map @hp4",
  ];
  // What leaves gets the host's address; so does what a group says to a port of the host that leads back to the bridge.
  const masquerade = [
    `ip saddr ${subnet.text} ip daddr != ${subnet.text} masquerade`,
    `ip saddr 127.0.0.0/8 oifname "${bridge}" masquerade`,
    `ip saddr ${subnet.text} oifname "${bridge}" ct status dnat masquerade`,
  ];
  if (subnet6) {
    // From ::1 there is no way to another link: what calls there is refused by nobody's listening.
    toGroups.push("dnat ip6 to ip6 daddr . meta l4proto . th dport map @ha6");
    toGroups.push("ip6 daddr != ::1 fib daddr type local dnat ip6 to meta l4proto . th dport map @hp6");
    masquerade.push(
      `ip6 saddr ${subnet6.text} ip6 daddr != ${subnet6.text} masquerade`,
      `ip6 saddr ${subnet6.text} oifname "${bridge}" ct status dnat masquerade`,
    );
  }
  return [
    `add table inet ${table}`,
    `flush table inet ${table}`,
    `table inet ${table} {`,
    "map hp4 { type inet_proto . inet_service : ipv4_addr . inet_service; }",
    "map hp6 { type inet_proto . inet_service : ipv6_addr . inet_service; }",
    "map ha4 { type ipv4_addr . inet_proto . inet_service : ipv4_addr . inet_service; }",
    "map ha6 { type ipv6_addr . inet_proto . inet_service : ipv6_addr . inet_service; }",
    // The host's own loopback, which route_localnet would open to groups.
    chain("raw", "type filter hook prerouting priority raw;", [`iifname "${bridge}" ip daddr 127.0.0.0/8 drop`]),
    chain("pre", "type nat hook prerouting priority dstnat;", toGroups),
    chain("out", "type nat hook output priority -100;", toGroups),
    chain("post", "type nat hook postrouting priority srcnat;", masquerade),
    ...closedChains(bridge, closedPorts),
    "}",
  ].join("\n");
}

/** What groups behind a bridge are not to reach: metadata of clouds, and ports of the host's own. */
export function closedChains(bridge: string, closedPorts: readonly number[]): string[] {
  const metadata = Object.entries(metadataIps).map(
    ([family, ip]) => `iifname "${bridge}" ${family} daddr ${ip} reject`,
  );
  const closed =
    closedPorts.length === 0
      ? []
      : [`iifname "${bridge}" tcp dport { ${closedPorts.join(", ")} } reject with tcp reset`];
  return [
    chain("forward", "type filter hook forward priority filter;", metadata),
    chain("input", "type filter hook input priority filter;", [...metadata, ...closed]),
  ];
}

export function chain(name: string, hook: string, rules: readonly string[]): string {
  return [`chain ${name} {`, hook, ...rules, "}"].join("\n");
}

/** hp4 and hp6: ports of every address of the host; ha4 and ha6: of one. */
const mapNames = ["hp4", "hp6", "ha4", "ha6"] as const;
type MapName = (typeof mapNames)[number];

/** One port of the host as it stands in a map. */
export interface MapElement {
  readonly map: MapName;
  /** "tcp . 20000"; in the maps of one address "192.0.2.7 . tcp . 20000" */
  readonly key: string;
  /** "10.78.0.2 . 8080" */
  readonly target: string;
}

/** What a group has in the maps. O(ports). */
export function elementsOf(plan: BridgePlan, spec: NetSpec): MapElement[] {
  const ips = groupIps(plan, spec.addressIndex);
  return spec.ports.flatMap((port) =>
    protocolsOf(port).flatMap((protocol) =>
      ips.flatMap((ip) => {
        const family = ip.includes(":") ? 6 : 4;
        const key = `${protocol} . ${port.number}`;
        const target = `${ip} . ${port.to}`;
        if (port.hostNetwork === undefined) return { map: `hp${family}` as const, key, target };
        if (isIP(port.ip) !== family) return [];
        return { map: `ha${family}` as const, key: `${port.ip} . ${key}`, target };
      }),
    ),
  );
}

export function protocolsOf({ protocol }: AssignedPort): ("tcp" | "udp")[] {
  return protocol === "tcp" || protocol === "udp" ? [protocol] : ["tcp", "udp"];
}

/** Adds them. One that is there already is no fault, one that leads elsewhere is. */
export function addElements({ table }: BridgePlan, elements: readonly MapElement[]): string {
  return elements.map(({ map, key, target }) => `add element inet ${table} ${map} { ${key} : ${target} }`).join("\n");
}

/** Removes them if they are there: nft has no word for that, but adding what is there is no fault. */
export function removeElements({ table }: BridgePlan, elements: readonly MapElement[]): string {
  return elements
    .flatMap(({ map, key, target }) => [
      `add element inet ${table} ${map} { ${key} : ${target} }`,
      `delete element inet ${table} ${map} { ${key} }`,
    ])
    .join("\n");
}

/** Reads the elements of the maps from `nft -j list table`. */
export function readElements(json: string): MapElement[] {
  const { nftables } = JSON.parse(json) as {
    nftables: readonly { map?: { name: string; elem?: readonly unknown[] } }[];
  };
  return nftables.flatMap(({ map }) => {
    const name = mapNames.find((each) => each === map?.name);
    return (name && map?.elem ? map.elem : []).map((pair) => {
      const [key, target] = pair as [{ concat: readonly unknown[] }, { concat: readonly unknown[] }];
      return { map: name as MapName, key: key.concat.join(" . "), target: target.concat.join(" . ") };
    });
  });
}

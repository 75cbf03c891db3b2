import type { LimitedGroup } from "./limits.ts";

/** Of new connections, so many more than a second's share may come at once. */
const burstMin = 5;
const burstFraction = 0.25;

/** A table of its own: it is there while groups have such bounds, and costs the others nothing. */
export function limitsTable(owner: string): string {
  return `muster_limits_${owner}`;
}

/** The table with its rules; loading it again changes nothing but rules that were lost. New connections alone look up. */
export function limitsRules(owner: string): string {
  const table = limitsTable(owner);
  const from = ["ct state new ip saddr vmap @groups4", "ct state new ip6 saddr vmap @groups6"];
  const to = ["ct state new ip daddr vmap @groups4", "ct state new ip6 daddr vmap @groups6"];
  const chain = (hook: string, rules: readonly string[]): string[] => [
    `add chain inet ${table} ${hook} { type filter hook ${hook} priority filter; }`,
    `flush chain inet ${table} ${hook}`,
    ...rules.map((rule) => `add rule inet ${table} ${hook} ${rule}`),
  ];
  return [
    `add table inet ${table}`,
    `add map inet ${table} groups4 { type ipv4_addr : verdict; }`,
    `add map inet ${table} groups6 { type ipv6_addr : verdict; }`,
    ...chain("forward", [...from, ...to]),
    // From a group to its host, and from the host to a group.
    ...chain("input", from),
    ...chain("output", to),
  ].join("\n");
}

/** The bounds of a group; doing it again is harmless. One that is over its count is refused, one too many a second waits. */
export function addLimits(owner: string, { id, ips, limits }: LimitedGroup): string {
  const table = limitsTable(owner);
  return [
    limitsRules(owner),
    `add chain inet ${table} ${chainOf(id)}`,
    `flush chain inet ${table} ${chainOf(id)}`,
    ...rulesOf(limits).map((rule) => `add rule inet ${table} ${chainOf(id)} ${rule}`),
    ...ips.map((ip) => `add element inet ${table} ${mapOf(ip)} { ${ip} : jump ${chainOf(id)} }`),
  ].join("\n");
}

function rulesOf({ connections, connectionsPerSecond }: LimitedGroup["limits"]): string[] {
  return [
    ...(connections === undefined ? [] : [`ct count over ${connections} reject`]),
    ...(connectionsPerSecond === undefined ? [] : [rateRule(connectionsPerSecond)]),
  ];
}

function rateRule(perSecond: number): string {
  const burst = Math.max(burstMin, Math.ceil(perSecond * burstFraction));
  return `limit rate over ${perSecond}/second burst ${burst} packets drop`;
}

/** Takes them away, whatever of them there is: nft has no word for that, but adding what is there is no fault. */
export function removeLimits(owner: string, id: string, ips: readonly string[]): string {
  const table = limitsTable(owner);
  const chain = chainOf(id);
  return [
    limitsRules(owner),
    `add chain inet ${table} ${chain}`,
    ...ips.flatMap((ip) => [
      `add element inet ${table} ${mapOf(ip)} { ${ip} : jump ${chain} }`,
      `delete element inet ${table} ${mapOf(ip)} { ${ip} }`,
    ]),
    `flush chain inet ${table} ${chain}`,
    `delete chain inet ${table} ${chain}`,
  ].join("\n");
}

/** Whether a group has bounds of connections. */
export function limitsConnections({ limits }: LimitedGroup): boolean {
  return rulesOf(limits).length > 0;
}

/** What a table holds of groups: by id, their addresses and how many rules they have. */
export type PresentLimits = ReadonlyMap<string, { readonly ips: string[]; ruleCount: number }>;

/** Reads `nft -j list table`; `hooked` is whether the rules that all groups share are there. */
export function readLimits(json: string): { groups: PresentLimits; hooked: boolean } {
  const { nftables } = JSON.parse(json) as { nftables: readonly Listed[] };
  const groups = new Map<string, { ips: string[]; ruleCount: number }>();
  const group = (chain: string | undefined): { ips: string[]; ruleCount: number } | undefined => {
    const [, id] = /^group-(.+)$/.exec(chain ?? "") ?? [];
    if (id === undefined) return undefined;
    const found = groups.get(id) ?? { ips: [], ruleCount: 0 };
    groups.set(id, found);
    return found;
  };
  let sharedCount = 0;
  for (const { chain, map, rule } of nftables) {
    group(chain?.name);
    for (const [ip, verdict] of map?.elem ?? []) group(verdict.jump?.target)?.ips.push(ip);
    if (!rule) continue;
    const owner = group(rule.chain);
    if (owner) owner.ruleCount++;
    else sharedCount++;
  }
  return { groups, hooked: sharedCount === sharedRuleCount };
}

/** Whether a group's bounds are all there. */
export function isWhole({ id, ips, limits }: LimitedGroup, present: PresentLimits): boolean {
  const found = present.get(id);
  return found?.ruleCount === rulesOf(limits).length && ips.every((ip) => found.ips.includes(ip));
}

/** Of `limitsRules`. */
const sharedRuleCount = 8;

interface Listed {
  readonly chain?: { readonly name: string };
  readonly map?: { readonly elem?: readonly (readonly [string, { readonly jump?: { readonly target: string } }])[] };
  readonly rule?: { readonly chain: string };
}

function chainOf(id: string): string {
  return `group-${id}`;
}

function mapOf(ip: string): string {
  return ip.includes(":") ? "groups6" : "groups4";
}

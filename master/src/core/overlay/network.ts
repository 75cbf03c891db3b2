import { invalid } from "@muster/foundation";
import ipaddr from "ipaddr.js";

/** How packets come from agent to agent. */
export type OverlayBackend = "vxlan" | "host-gw" | "bgp";

/** An overlay network as an operator has set it; checked by `parseOverlays`. */
export interface OverlaySettings {
  readonly name: string;
  /** For example "10.244.0.0/16". */
  readonly cidr: string;
  /** For example "fd44::/48"; empty: no IPv6. */
  readonly cidr6: string;
  /** Prefix of the IPv4 subnet of one agent. */
  readonly subnetPrefix: number;
  readonly backend: OverlayBackend;
  readonly vni: number;
  readonly port: number;
  readonly directRouting: boolean;
}

/** Overlay networks of one cluster. */
export const overlaysMax = 16;
/** Agents that one overlay network has room for, whatever its size: each of them is known to all others. */
export const subnetsMax = 65_536;
/** Prefix of every IPv6 subnet. */
export const subnetPrefix6 = 64;
/** A subnet of an agent has room for 5 groups at least. */
const subnetPrefixMax = 29;
const cidrPrefixMin = 8;
const cidr6PrefixMin = 32;

const nameForm = /^[a-z0-9][a-z0-9-]{0,31}$/;
const backends: readonly OverlayBackend[] = ["vxlan", "host-gw", "bgp"];
const vniDefault = 4_096;
const portDefaults = { vxlan: 4_789, "host-gw": 4_789, bgp: 179 } as const;

const usage =
  'a network is written as "NAME IPV4-RANGE [IPV6-RANGE] [subnet_prefix=24] [backend=vxlan|host-gw|bgp] [vni=N] [port=4789] [direct_routing=false]"';

/**
 * Reads overlay networks, each a text like "blue 10.244.0.0/16 fd44::/48 backend=vxlan". Throws a MusterError of kind
 * `invalid` that names the network and what is wrong.
 */
export function parseOverlays(texts: readonly string[]): readonly OverlaySettings[] {
  if (texts.length > overlaysMax) throw invalid("overlays", `at most ${overlaysMax} networks`);
  const found: OverlaySettings[] = [];
  for (const [index, text] of texts.entries()) {
    const one = parseOverlay(text, index);
    for (const other of found) refuseClash(one, other);
    found.push(one);
  }
  return found;
}

function parseOverlay(text: string, index: number): OverlaySettings {
  const [name = "", ...words] = text.trim().split(/\s+/);
  if (!nameForm.test(name))
    throw invalid("overlays", `"${name}" is no name of 1 to 32 small letters, digits and dashes; ${usage}`);
  const field = `overlays.${name}`;
  const ranges = words.filter((word) => !word.includes("="));
  const options = readOptions(words, field);
  const cidr = readRange(ranges, "ipv4", field);
  const cidr6 = readRange(ranges, "ipv6", field);
  if (cidr === undefined) throw invalid(field, `has no IPv4 range; ${usage}`);
  const prefix = prefixOf(cidr);
  const widest = Math.max(prefix, 24);
  const subnetPrefix = integer(options, "subnet_prefix", Math.min(widest, subnetPrefixMax), field);
  if (subnetPrefix < prefix || subnetPrefix > subnetPrefixMax)
    throw invalid(`${field}.subnet_prefix`, `must be ${prefix} to ${subnetPrefixMax}`);
  const backend = backends.find((one) => one === (options.get("backend") ?? "vxlan"));
  if (!backend) throw invalid(`${field}.backend`, `must be one of ${backends.join(", ")}`);
  const vni = integer(options, "vni", vniDefault + index, field);
  if (vni < 1 || vni >= 2 ** 24) throw invalid(`${field}.vni`, "must be 1 to 16777215");
  const port = integer(options, "port", portDefaults[backend], field);
  if (port < 1 || port > 65_535) throw invalid(`${field}.port`, "must be 1 to 65535");
  const direct = options.get("direct_routing") ?? "false";
  if (direct !== "true" && direct !== "false") throw invalid(`${field}.direct_routing`, "must be true or false");
  return { name, cidr, cidr6: cidr6 ?? "", subnetPrefix, backend, vni, port, directRouting: direct === "true" };
}

const optionNames = ["subnet_prefix", "backend", "vni", "port", "direct_routing"];

function readOptions(words: readonly string[], field: string): Map<string, string> {
  const options = new Map<string, string>();
  for (const word of words) {
    const at = word.indexOf("=");
    if (at < 0) continue;
    const name = word.slice(0, at);
    if (!optionNames.includes(name))
      throw invalid(`${field}.${name}`, `is no setting; there are ${optionNames.join(", ")}`);
    if (options.has(name)) throw invalid(`${field}.${name}`, "is set twice");
    options.set(name, word.slice(at + 1));
  }
  return options;
}

function integer(options: ReadonlyMap<string, string>, name: string, otherwise: number, field: string): number {
  const text = options.get(name);
  if (text === undefined) return otherwise;
  if (!/^\d{1,9}$/.test(text)) throw invalid(`${field}.${name}`, `"${text}" is no whole number`);
  return Number(text);
}

function readRange(ranges: readonly string[], family: "ipv4" | "ipv6", field: string): string | undefined {
  const wrong = ranges.find((range) => !ipaddr.isValidCIDR(range));
  if (wrong !== undefined) throw invalid(field, `"${wrong}" is no range of addresses; ${usage}`);
  const [range, second] = ranges.filter((one) => ipaddr.parseCIDR(one)[0].kind() === family);
  if (range === undefined) return undefined;
  if (second !== undefined) throw invalid(field, `has two ranges of ${family}`);
  const [address, prefix] = ipaddr.parseCIDR(range);
  const bounds = family === "ipv4" ? [cidrPrefixMin, subnetPrefixMax] : [cidr6PrefixMin, subnetPrefix6];
  const [min = 0, max = 0] = bounds;
  if (prefix < min || prefix > max) throw invalid(field, `the prefix of ${range} must be ${min} to ${max}`);
  const first = network(address, prefix);
  if (first !== address.toString()) throw invalid(field, `${range} does not begin at its first address, ${first}`);
  return `${first}/${prefix}`;
}

function refuseClash(one: OverlaySettings, other: OverlaySettings): void {
  const field = `overlays.${one.name}`;
  if (one.name === other.name) throw invalid(field, "is set twice");
  if (overlaps(one.cidr, other.cidr)) throw invalid(field, `${one.cidr} overlaps ${other.cidr} of ${other.name}`);
  if (one.cidr6 !== "" && other.cidr6 !== "" && overlaps(one.cidr6, other.cidr6))
    throw invalid(field, `${one.cidr6} overlaps ${other.cidr6} of ${other.name}`);
  const isTunnel = one.backend === "vxlan" && other.backend === "vxlan";
  if (isTunnel && one.vni === other.vni) throw invalid(`${field}.vni`, `${one.vni} is that of ${other.name}`);
}

function overlaps(one: string, other: string): boolean {
  const [a, aPrefix] = ipaddr.parseCIDR(one);
  const [b, bPrefix] = ipaddr.parseCIDR(other);
  const common = Math.min(aPrefix, bPrefix);
  return network(a, common) === network(b, common);
}

/** How many agents can have a subnet. */
export function subnetCount({ cidr, cidr6, subnetPrefix }: OverlaySettings): number {
  const count = 2 ** (subnetPrefix - prefixOf(cidr));
  const count6 = cidr6 === "" ? subnetsMax : 2 ** (subnetPrefix6 - prefixOf(cidr6));
  return Math.min(count, count6, subnetsMax);
}

/** The subnets of that number, counted from 0. */
export function subnetsAt(settings: OverlaySettings, index: number): { subnet: string; subnet6: string } {
  const { cidr, cidr6, subnetPrefix } = settings;
  return {
    subnet: subnetAt(cidr, subnetPrefix, index),
    subnet6: cidr6 === "" ? "" : subnetAt(cidr6, subnetPrefix6, index),
  };
}

function subnetAt(cidr: string, prefix: number, index: number): string {
  const bytes = ipaddr.parseCIDR(cidr)[0].toByteArray();
  // The number of the subnet, put at the end of its prefix.
  let rest = index * 2 ** ((8 - (prefix % 8)) % 8);
  for (let at = Math.ceil(prefix / 8) - 1; at >= 0 && rest > 0; at--) {
    rest += bytes[at] ?? 0;
    bytes[at] = rest & 255;
    rest = Math.floor(rest / 256);
  }
  return `${ipaddr.fromByteArray(bytes).toString()}/${prefix}`;
}

function prefixOf(cidr: string): number {
  return ipaddr.parseCIDR(cidr)[1];
}

/** The first address of the range that an address is in. */
function network(address: ipaddr.IPv4 | ipaddr.IPv6, prefix: number): string {
  const bytes = address.toByteArray().map((byte, index) => {
    const bits = Math.max(0, Math.min(8, prefix - index * 8));
    return byte & ((255 << (8 - bits)) & 255);
  });
  return ipaddr.fromByteArray(bytes).toString();
}

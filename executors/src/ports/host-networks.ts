import { isIP } from "node:net";
import { networkInterfaces } from "node:os";
import { invalid } from "@muster/foundation";
import ipaddr from "ipaddr.js";
import type { HostNetwork } from "../world/host-ports.ts";

/** How a network of the host is found: by a range that its address is in, or by its interface. */
export interface HostNetworkRule {
  readonly name: string;
  readonly range: string;
}

/** An address of the host, as `networkInterfaces()` tells it. */
export interface HostAddress {
  readonly device: string;
  readonly address: string;
}

export const hostNetworksMax = 64;
const example = "private=10.0.0.0/8,public=eth0";

/** Reads "NAME=CIDR|INTERFACE", several with commas in between; `field` names it in errors. */
export function parseHostNetworks(text: string, field: string): HostNetworkRule[] {
  const parts = text.split(",").filter((part) => part.trim() !== "");
  if (parts.length > hostNetworksMax) throw invalid(field, `at most ${hostNetworksMax} networks`);
  const rules = parts.map((part) => {
    const [, name = "", range = ""] = /^([A-Za-z0-9_-]{1,63})=(\S+)$/.exec(part.trim()) ?? [];
    const isRange = range.includes("/") ? ipaddr.isValidCIDR(range) : /^[^\s/=]{1,15}$/.test(range);
    if (!isRange) throw invalid(field, `"${part.trim()}" is not NAME=CIDR or NAME=INTERFACE; an example is ${example}`);
    return { name, range };
  });
  const twice = rules.find(({ name }, index) => rules.findIndex((other) => other.name === name) < index);
  if (twice) throw invalid(field, `"${twice.name}" is named twice`);
  if (rules.some(({ name }) => name === "default"))
    throw invalid(field, '"default" is every address of the host, and no network of its own');
  return rules;
}

/** The networks that are there, and what the others lack. Of several addresses the first counts, IPv4 before IPv6. */
export function findHostNetworks(
  rules: readonly HostNetworkRule[],
  addresses: readonly HostAddress[],
): { networks: HostNetwork[]; lacking: { name: string; reason: string }[] } {
  const networks: HostNetwork[] = [];
  const lacking: { name: string; reason: string }[] = [];
  const ordered = [...addresses].sort((a, b) => isIP(a.address) - isIP(b.address));
  for (const { name, range } of rules) {
    const found = ordered.find((each) => (range.includes("/") ? isWithin(each.address, range) : each.device === range));
    if (found) networks.push({ name, ip: found.address });
    else if (range.includes("/")) lacking.push({ name, reason: `no address of the host is in ${range}` });
    else lacking.push({ name, reason: `no link ${range} with an address` });
  }
  return { networks, lacking };
}

function isWithin(address: string, range: string): boolean {
  const [first, bits] = ipaddr.parseCIDR(range);
  const parsed = ipaddr.parse(address);
  return parsed.kind() === first.kind() && parsed.match(first, bits);
}

/** The addresses of the host now; without those that mean nothing without a link. */
export function hostAddresses(): HostAddress[] {
  return Object.entries(networkInterfaces()).flatMap(([device, addresses = []]) =>
    addresses.filter(({ address }) => !/^fe80:/i.test(address)).map(({ address }) => ({ device, address })),
  );
}

import { invalid } from "@muster/foundation";
import ipaddr from "ipaddr.js";

/** A range of addresses: the first is the network's own, the second the bridge's, the others are for groups. */
export interface Subnet {
  /** As in "10.78.0.0/20". */
  readonly text: string;
  readonly prefix: number;
  /** Of its first address. */
  readonly bytes: readonly number[];
}

/** Bounds of a subnet's prefix; above them there is no room for groups, below them it takes what others need. */
const prefixBounds = { ipv4: { min: 8, max: 29 }, ipv6: { min: 48, max: 120 } } as const;
/** Addresses of a v4 subnet that no group gets: the network's, the bridge's, and the one for broadcasts. */
const addressesKept = 3;

/** Reads a subnet from configuration; `field` names it in the error. */
export function parseSubnet(text: string, family: "ipv4" | "ipv6", field: string): Subnet {
  const example = family === "ipv4" ? "10.78.0.0/20" : "fd78::/64";
  if (!ipaddr.isValidCIDR(text)) throw invalid(field, `"${text}" is no subnet; an example is ${example}`);
  const [address, prefix] = ipaddr.parseCIDR(text);
  if (address.kind() !== family) throw invalid(field, `"${text}" is no subnet of ${family}; an example is ${example}`);
  const { min, max } = prefixBounds[family];
  if (prefix < min || prefix > max) throw invalid(field, `the prefix of ${text} must be ${min} to ${max}`);
  const bytes = address.toByteArray();
  const isFirst = bytes.every((byte, index) => (byte & ~maskByte(prefix, index) & 255) === 0);
  if (!isFirst) throw invalid(field, `${text} does not begin at the first address of its range`);
  return { text, prefix, bytes };
}

/** Groups that have room in it at once. */
export function groupsIn(subnet: Subnet): number {
  const bits = subnet.bytes.length * 8 - subnet.prefix;
  return bits > 30 ? 2 ** 30 : 2 ** bits - addressesKept;
}

/** The address of the bridge: what groups have as their way out. */
export function gatewayOf(subnet: Subnet): string {
  return addressAt(subnet, 1);
}

/** The address of the group with that index, which counts from 1. */
export function groupAddress(subnet: Subnet, index: number): string {
  return addressAt(subnet, index + 1);
}

/** Whether the two have an address in common. */
export function overlaps(subnet: Subnet, other: string): boolean {
  if (!ipaddr.isValidCIDR(other)) return false;
  const [address, prefix] = ipaddr.parseCIDR(other);
  const bytes = address.toByteArray();
  if (bytes.length !== subnet.bytes.length) return false;
  const common = Math.min(prefix, subnet.prefix);
  return bytes.every((byte, index) => {
    const mask = maskByte(common, index);
    return (byte & mask) === ((subnet.bytes[index] ?? 0) & mask);
  });
}

function maskByte(prefix: number, index: number): number {
  const bits = Math.max(0, Math.min(8, prefix - index * 8));
  return (255 << (8 - bits)) & 255;
}

function addressAt({ bytes }: Subnet, offset: number): string {
  const sum = [...bytes];
  let carry = offset;
  for (let at = sum.length - 1; at >= 0 && carry > 0; at--) {
    carry += sum[at] ?? 0;
    sum[at] = carry & 255;
    carry = Math.floor(carry / 256);
  }
  return ipaddr.fromByteArray(sum).toString();
}

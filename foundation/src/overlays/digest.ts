import type { OverlayNetwork, OverlaySubnet } from "@muster/proto";

/** Starts of two independent sums over the same text. */
const seeds = [0x811c9dc5, 0x9747b28c] as const;

/**
 * Names a state of all overlay networks: who has been told the same, in whatever order, has the same digest. Empty if there
 * are none. 64 bits against chance, not against malice: who could make two states with one digest could tell either of them.
 * O(networks and subnets): about 0.6 µs each.
 */
export function overlayDigest(networks: Iterable<OverlayNetwork>, subnets: Iterable<OverlaySubnet>): string {
  const sums: [number, number] = [0, 0];
  let count = 0;
  const add = (text: string): void => {
    count++;
    for (const at of [0, 1] as const) sums[at] = (sums[at] + hash(text, seeds[at])) >>> 0;
  };
  for (const { name, cidr, cidr6, subnetPrefix, backend, vni, port, directRouting } of networks)
    add(`network ${name} ${cidr} ${cidr6} ${subnetPrefix} ${backend} ${vni} ${port} ${directRouting}`);
  for (const { network, agentId, subnet, subnet6, underlayIp, underlayIp6 } of subnets)
    add(`subnet ${network} ${agentId} ${subnet} ${subnet6} ${underlayIp} ${underlayIp6}`);
  return count === 0 ? "" : [count, ...sums].map((part) => part.toString(36)).join("-");
}

/** FNV-1a, with another round of mixing so that sums of similar texts differ. */
function hash(text: string, seed: number): number {
  let sum = seed;
  for (let at = 0; at < text.length; at++) sum = Math.imul(sum ^ text.charCodeAt(at), 0x01000193);
  sum = Math.imul(sum ^ (sum >>> 15), 0x2c1b3c6d);
  return (sum ^ (sum >>> 13)) >>> 0;
}

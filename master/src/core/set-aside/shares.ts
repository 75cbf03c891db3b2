import { addResources, noResources, type Resources, subtractResources } from "@muster/foundation";
import { customOf } from "../../allocator/bound.ts";
import type { Group, Offer } from "../model.ts";
import type { Reservation, ReservedShare } from "./model.ts";

/**
 * What of an amount comes out of shares of reservations, in their order: of each as much as there is. The rest comes out
 * of what is not reserved. A smaller amount is given a part of what a larger one is, so that what was taken up for many
 * tasks can be given back task by task. O(shares).
 */
export function takeFrom(shares: readonly ReservedShare[], amount: Resources): ReservedShare[] {
  const taken: ReservedShare[] = [];
  let left = amount;
  for (const { reservation, resources } of shares) {
    const part = smallerOf(resources, left);
    if (part === noResources) continue;
    left = subtractResources(left, part);
    taken.push({ reservation, resources: part });
  }
  return taken;
}

export function sumOf(shares: readonly ReservedShare[]): Resources {
  let sum = noResources;
  for (const { resources } of shares) sum = sum === noResources ? resources : addResources(sum, resources);
  return sum;
}

/** What of an offer, or of room that is kept, is not reserved. */
export function plainOf({
  resources,
  reserved = [],
}: Pick<Offer, "resources"> & Partial<Pick<Offer, "reserved">>): Resources {
  return reserved.length === 0 ? resources : subtractResources(resources, sumOf(reserved));
}

/** What the living tasks of a group have of reservations. */
export function reservedFor({ draw }: Group): Resources {
  return draw === undefined ? noResources : sumOf(draw.shares);
}

/** How much of a reservation is among shares. */
export function shareOf(shares: readonly ReservedShare[], reservation: Reservation): Resources {
  for (const share of shares) if (share.reservation === reservation) return share.resources;
  return noResources;
}

/** The sum of two lists, each reservation once, in the order of the first. */
export function joinShares(a: readonly ReservedShare[], b: readonly ReservedShare[]): ReservedShare[] {
  const joined = a.map(({ reservation, resources }) => ({
    reservation,
    resources: addResources(resources, shareOf(b, reservation)),
  }));
  for (const share of b) if (!a.some(({ reservation }) => reservation === share.reservation)) joined.push(share);
  return joined;
}

/** What is left of shares when others are taken; none that are empty. */
export function withoutShares(a: readonly ReservedShare[], b: readonly ReservedShare[]): ReservedShare[] {
  const left: ReservedShare[] = [];
  for (const { reservation, resources } of a) {
    const rest = subtractResources(resources, shareOf(b, reservation));
    if (hasSomething(rest)) left.push({ reservation, resources: rest });
  }
  return left;
}

export function hasSomething({ cpuMillis, memoryMiB, diskMiB, portCount, custom }: Resources): boolean {
  if (cpuMillis > 0 || memoryMiB > 0 || diskMiB > 0 || portCount > 0) return true;
  for (const name in custom) if ((custom[name] ?? 0) > 0) return true;
  return false;
}

/** The smaller of each amount; `noResources` itself if that is nothing. */
export function smallerOf(a: Resources, b: Resources): Resources {
  const custom: Record<string, number> = {};
  for (const name in a.custom) {
    const least = Math.min(a.custom[name] ?? 0, customOf(b.custom, name, 0));
    if (least > 0) custom[name] = least;
  }
  const part = {
    cpuMillis: Math.max(0, Math.min(a.cpuMillis, b.cpuMillis)),
    memoryMiB: Math.max(0, Math.min(a.memoryMiB, b.memoryMiB)),
    diskMiB: Math.max(0, Math.min(a.diskMiB, b.diskMiB)),
    portCount: Math.max(0, Math.min(a.portCount, b.portCount)),
    custom,
  };
  return hasSomething(part) ? part : noResources;
}

import { addResources, noResources, type Resources, subtractResources } from "@muster/foundation";
import { type Bound, customOf, leftOf, narrower, noBound } from "./bound.ts";
import type { Role } from "./role.ts";

/**
 * What limits leave to a role: its own, and those of the roles above it, but for `below` and those above that: what is
 * set aside for these counts as held by them already. O(depth).
 */
export function roomOf(role: Role, below?: Role): Bound {
  let room = noBound;
  if (!role.isLimited) return room;
  for (let each: Role | undefined = role; each !== undefined && each !== below; each = each.parent)
    if (each.quota) room = narrower(room, leftOf(each.quota.limit, each.held));
  return room;
}

/**
 * Whether a role's own limit leaves it nothing that an offer could be made of: no processor, or no memory. Offers of
 * memory alone would only keep it from those who have a processor to go with it.
 */
export function isSpent(role: Role): boolean {
  const limit = role.quota?.limit;
  if (limit === undefined) return false;
  return role.held.cpuMillis >= limit.cpuMillis || role.held.memoryMiB >= limit.memoryMiB;
}

/**
 * How much of what is given to a role's own frameworks goes towards guarantees, its own and those above: the rest of it
 * is at the expense of what nobody is promised. O(depth).
 */
export function owedTo(role: Role): Resources {
  if (!role.isPromised) return noResources;
  // What guarantees would still need if the role had more than enough.
  let after = role.needBelow;
  let each = role;
  for (; each.parent !== undefined; each = each.parent)
    after = addResources(subtractResources(each.parent.needBelow, each.need), after);
  return subtractResources(each.needBelow, after);
}

interface Books {
  readonly root: Role;
  readonly hasQuota: boolean;
  readonly available: Resources;
}

/** The most that a role's own frameworks may have in addition; undefined if nothing bounds it. O(depth). */
export function allowanceOf(books: Books, role: Role): Bound | undefined {
  if (!books.hasQuota) return undefined;
  const required = books.root.needBelow;
  const room = roomOf(role);
  return narrower(room, besides(required, books.available, owedTo(role)));
}

/** What may be given away so that the guarantees can still be kept: what is owed, and what is left over. */
function besides(required: Resources, available: Resources, owed: Resources): Bound {
  const bound = (need: number, have: number, part: number): number =>
    need <= 0 ? Number.POSITIVE_INFINITY : part + Math.max(0, have - need);
  const custom: Record<string, number> = {};
  for (const name in required.custom)
    custom[name] = bound(
      customOf(required.custom, name, 0),
      customOf(available.custom, name, 0),
      customOf(owed.custom, name, 0),
    );
  return {
    cpuMillis: bound(required.cpuMillis, available.cpuMillis, owed.cpuMillis),
    memoryMiB: bound(required.memoryMiB, available.memoryMiB, owed.memoryMiB),
    diskMiB: bound(required.diskMiB, available.diskMiB, owed.diskMiB),
    portCount: bound(required.portCount, available.portCount, owed.portCount),
    custom,
  };
}

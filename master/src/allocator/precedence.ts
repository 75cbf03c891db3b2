import { addResources, type Resources } from "@muster/foundation";
import type { Member, Role } from "./role.ts";
import { dominantShare } from "./share.ts";

/**
 * Whether a framework that takes so much more would still have no more than its fair part beside another: what the
 * other is offered may then be given to it. They are compared where they first differ: as frameworks of one role, or as
 * the roles below the nearest one that both stand in. O(depth).
 */
export function staysBehind(claimant: Member, more: Resources, holder: Member, total: Resources): boolean {
  if (claimant.role === holder.role)
    return dominantShare(addResources(claimant.held, more), total) <= dominantShare(holder.held, total);
  const [own, other] = sidesOf(claimant.role, holder.role);
  return shareOf(own, more, total) <= shareOf(other, undefined, total);
}

/** What stands side by side: two roles of one parent, or one and what its parent's own frameworks have. */
type Side = Role | { readonly own: Role };

function sidesOf(a: Role, b: Role): readonly [Side, Side] {
  const [pathA, pathB] = [pathOf(a), pathOf(b)];
  let depth = 0;
  while (depth < pathA.length && depth < pathB.length && pathA[depth] === pathB[depth]) depth++;
  return [pathA[depth] ?? { own: a }, pathB[depth] ?? { own: b }];
}

/** From the top down to the role itself. */
function pathOf(role: Role): Role[] {
  const path: Role[] = [];
  for (let each: Role = role; each.parent !== undefined; each = each.parent) path.unshift(each);
  return path;
}

function shareOf(side: Side, more: Resources | undefined, total: Resources): number {
  const isOwn = !("members" in side);
  const held = isOwn ? side.own.own.held : side.held;
  const share = dominantShare(more === undefined ? held : addResources(held, more), total);
  return isOwn ? share : (share * 1_000) / side.weightMillis;
}

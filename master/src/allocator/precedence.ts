import { addResources, type Resources } from "@muster/foundation";
import { dominantShare, type Member } from "./allocator.ts";

/**
 * Whether a framework that takes so much more would still have no more than its fair part beside another: what the
 * other is offered may then be given to it. Roles are compared by their shares, frameworks of one role by their own.
 * O(1).
 */
export function staysBehind(claimant: Member, more: Resources, holder: Member, total: Resources): boolean {
  if (claimant.role === holder.role)
    return dominantShare(addResources(claimant.held, more), total) <= dominantShare(holder.held, total);
  const { role } = claimant;
  const share = (dominantShare(addResources(role.held, more), total) * 1_000) / role.weightMillis;
  return share <= (dominantShare(holder.role.held, total) * 1_000) / holder.role.weightMillis;
}

import { preemptionDistance, priorityDefault, type Resources } from "@muster/foundation";
import { type Bound, customOf } from "../../allocator/bound.ts";
import { owedTo } from "../../allocator/quota.ts";
import type { Role } from "../model.ts";

/** Somebody with a role and, if it was said, a priority. */
export interface Party {
  readonly role: Role;
  readonly priority: number | undefined;
}

/**
 * How soon a task gives way to who waits; undefined: never. Ranks: 0 of another role, for a guarantee that is not kept;
 * 1 of the same role, whose share stays as it is.
 *
 * It must be less important by the distance of `preemptionDistance`, as Nomad has it. Where neither side has said how
 * important it is, the guarantee alone decides, but not within one role.
 */
export function rankOf(waiting: Party, victim: Party, isOwed: boolean): 0 | 1 | undefined {
  const isOwn = victim.role === waiting.role;
  const isSaid = waiting.priority !== undefined || victim.priority !== undefined;
  if (isSaid) {
    const distance = (waiting.priority ?? priorityDefault) - (victim.priority ?? priorityDefault);
    if (distance < preemptionDistance) return undefined;
  } else if (isOwn) return undefined;
  if (isOwn) return 1;
  return isOwed ? 0 : undefined;
}

/**
 * Whether all of a shape goes towards guarantees that are not kept. Disk and ports come along where they are not
 * promised: next to nobody promises them, and everything needs some. O(depth).
 */
export function isOwedWhole(role: Role, shape: Resources): boolean {
  const owed = owedTo(role);
  const isPromised = (need: number, lacking: number): boolean => need === 0 || lacking >= need;
  if (!isPromised(shape.cpuMillis, owed.cpuMillis) || !isPromised(shape.memoryMiB, owed.memoryMiB)) return false;
  for (const name in shape.custom)
    if (!isPromised(shape.custom[name] ?? 0, customOf(owed.custom, name, 0))) return false;
  return true;
}

/** What a role has above its guarantee, of what that names; everything else may be taken from it. */
export function aboveGuarantee({ held, quota }: Role, ending: Resources): Bound | undefined {
  if (quota === undefined) return undefined;
  const { guarantee } = quota;
  const above = (has: number, leaves: number, promised: number): number =>
    promised > 0 ? Math.max(0, has - leaves - promised) : Number.POSITIVE_INFINITY;
  const custom: Record<string, number> = {};
  for (const name in guarantee.custom)
    custom[name] = above(customOf(held.custom, name, 0), customOf(ending.custom, name, 0), guarantee.custom[name] ?? 0);
  return {
    cpuMillis: above(held.cpuMillis, ending.cpuMillis, guarantee.cpuMillis),
    memoryMiB: above(held.memoryMiB, ending.memoryMiB, guarantee.memoryMiB),
    diskMiB: above(held.diskMiB, ending.diskMiB, guarantee.diskMiB),
    portCount: above(held.portCount, ending.portCount, guarantee.portCount),
    custom,
  };
}

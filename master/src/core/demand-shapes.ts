import { addResources, noResources, type Resources, subtractResources } from "@muster/foundation";
import { customOf } from "../allocator/bound.ts";
import type { Agent, Constraint, Framework, Member } from "./model.ts";

/** So many of one shape that a framework wants in one role. */
export class Demand {
  readonly id: string;
  readonly role: string;
  /** Of one of them. */
  readonly shape: Resources;
  readonly constraints: readonly Constraint[];
  /** How many are wanted, those included that are offered now. */
  count: number;
  /** How many are offered now, or have room made for them. */
  offeredCount = 0;
  /** How important it is; undefined: nobody has said. */
  priority: number | undefined = undefined;
  /** Agents where it fits are offered whole, without being counted. */
  isWhole = false;
  /** Nobody is ended for it. */
  isPatient = false;
  /** Where room may be made for it; undefined: anywhere. */
  places: ReadonlySet<string> | undefined = undefined;
  /** Since when more is wanted than offered, as far as it was looked at, in monotonic milliseconds. */
  waitsSinceMs: number | undefined = undefined;
  /** Nobody is ended for it before then, in monotonic milliseconds. */
  quietUntilMs = 0;
  /** How often room that was made for it was offered since it last used one. */
  unusedRoomCount = 0;
  /** Why the last look for room found none; empty: it did, or there was no look yet. */
  lookedInVain = "";

  constructor(id: string, role: string, shape: Resources, constraints: readonly Constraint[], count: number) {
    this.id = id;
    this.role = role;
    this.shape = shape;
    this.constraints = constraints;
    this.count = count;
  }
}

/** What of demands an offer meets. */
export interface DemandedPart {
  readonly demand: Demand;
  readonly unitCount: number;
}

/** What an agent has for a framework that has said what it wants. */
export interface Demanded {
  readonly amount: Resources;
  readonly parts: readonly DemandedPart[];
}

/** Whether a framework wants offers of a role: more than it is offered now, or all there is if it has not said. */
export function wantsMore(framework: Framework, role: string): boolean {
  const demands = framework.demands?.get(role);
  if (demands === undefined) return true;
  for (const demand of demands.values()) if (demand.count > demand.offeredCount) return true;
  return false;
}

/**
 * What of an agent's free resources a framework wants, in the order in which it said so; "all" if it has not said what
 * it wants, undefined if none of it fits. O(demands of the role).
 */
export function demandedOf({ owner, role }: Member, agent: Agent, free: Resources): Demanded | "all" | undefined {
  const demands = owner.demands?.get(role.name);
  if (demands === undefined) return "all";
  let left = free;
  let amount = noResources;
  const parts: DemandedPart[] = [];
  let isWhole = false;
  for (const demand of demands.values()) {
    const missing = demand.count - demand.offeredCount;
    if (missing <= 0 || !demand.constraints.every((one) => one.holds(agent.attributeValues.get(one.attribute))))
      continue;
    const unitCount = Math.min(missing, unitsIn(left, demand.shape));
    if (unitCount < 1) continue;
    if (demand.isWhole) {
      isWhole = true;
      continue;
    }
    const part = times(demand.shape, unitCount);
    left = subtractResources(left, part);
    amount = addResources(amount, part);
    parts.push({ demand, unitCount });
  }
  if (isWhole) return { amount: free, parts };
  return parts.length === 0 ? undefined : { amount, parts };
}

/** How often a shape fits. */
function unitsIn(have: Resources, shape: Resources): number {
  let units = Number.POSITIVE_INFINITY;
  for (const name of ["cpuMillis", "memoryMiB", "diskMiB", "portCount"] as const)
    if (shape[name] > 0) units = Math.min(units, Math.floor(have[name] / shape[name]));
  for (const name in shape.custom) {
    const each = shape.custom[name] ?? 0;
    if (each > 0) units = Math.min(units, Math.floor(customOf(have.custom, name, 0) / each));
  }
  return units;
}

function times(shape: Resources, count: number): Resources {
  if (count === 1) return shape;
  const custom: Record<string, number> = {};
  for (const name in shape.custom) custom[name] = (shape.custom[name] ?? 0) * count;
  const { cpuMillis, memoryMiB, diskMiB, portCount } = shape;
  return {
    cpuMillis: cpuMillis * count,
    memoryMiB: memoryMiB * count,
    diskMiB: diskMiB * count,
    portCount: portCount * count,
    custom,
  };
}

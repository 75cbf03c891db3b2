import { type Resources, resources } from "@muster/foundation";
import type { DemandedShape } from "../scheduler/types.ts";
import { isOfValues, type Neighbours, noNeighbours } from "./constraints.ts";
import { demandOn, fit, type Need, type Room } from "./fit.ts";

/** Different needs of a role that the master is told of one by one; the rest are one more, of the least of each amount. */
export const shapesMax = 100;
/** Agents that one demand may name. */
export const placesMax = 1_000;

/** Something that waits for an agent. */
export interface WaitingNeed {
  /** The same for all that need the same, for instance "web/frontend"; part of the demand's id. */
  readonly key: string;
  readonly need: Need;
  readonly priority: number;
  /** Where it could run if there were room; empty: anywhere. Undefined: nobody is to be ended for it. */
  readonly places: readonly string[] | undefined;
}

/**
 * What the master is to be told so that it offers agents whole where something of this would fit, and knows for what
 * others may be ended. The most important keep a demand of their own. O(waiting log waiting).
 */
export function demandsOf(waiting: Iterable<WaitingNeed>): DemandedShape[] {
  const byKey = new Map<string, { readonly first: WaitingNeed; count: number }>();
  for (const one of waiting) {
    const known = byKey.get(one.key);
    if (known) known.count++;
    else byKey.set(one.key, { first: one, count: 1 });
  }
  const inOrder = [...byKey.values()].sort((a, b) => b.first.priority - a.first.priority);
  const shapes = inOrder.slice(0, shapesMax).map(({ first, count }): DemandedShape => {
    const { key, need, priority, places } = first;
    const shape = { id: key.slice(0, 255), count, resources: shapeOf(need), isWhole: true, priority };
    return places === undefined ? { ...shape, isPatient: true } : { ...shape, agentIds: places };
  });
  const rest = inOrder.slice(shapesMax);
  if (rest.length > 0) {
    const count = rest.reduce((sum, one) => sum + one.count, 0);
    const least = rest.map(({ first }) => shapeOf(first.need)).reduce(smaller);
    shapes.push({ id: "", count, resources: least, isWhole: true, isPatient: true });
  }
  return shapes;
}

/** Fixed ports are not among the amounts: whether they are free, and of the range, differs by agent. */
function shapeOf(need: Need): Resources {
  return demandOn({ ...need, staticPorts: [] }, { dynamicPortFirst: 0, dynamicPortLast: 0 });
}

function smaller(a: Resources, b: Resources): Resources {
  const custom: Record<string, number> = {};
  for (const name in a.custom)
    if (Object.hasOwn(b.custom, name)) custom[name] = Math.min(a.custom[name] ?? 0, b.custom[name] ?? 0);
  return resources({
    cpuMillis: Math.min(a.cpuMillis, b.cpuMillis),
    memoryMiB: Math.min(a.memoryMiB, b.memoryMiB),
    diskMiB: Math.min(a.diskMiB, b.diskMiB),
    portCount: Math.min(a.portCount, b.portCount),
    custom,
  });
}

/**
 * Where a need would fit if its agents were empty; empty: on all of them. Undefined if that can't be said: where instances
 * must go depends on where others are, nowhere would do, or too many places but not all. O(rooms x constraints).
 */
export function placesOf(
  need: Need,
  rooms: readonly Room[],
  neighbours: Neighbours = noNeighbours,
): readonly string[] | undefined {
  if (need.constraints.some(isOfValues)) return undefined;
  const nothing = new Set<number>();
  const places: string[] = [];
  for (const room of rooms) {
    const empty = { ...room, available: room.total ?? room.available, portsTaken: nothing };
    if (fit(need, empty, neighbours).fits) places.push(room.agentId);
  }
  if (places.length === 0) return undefined;
  if (places.length === rooms.length) return [];
  return places.length > placesMax ? undefined : places;
}

/**
 * Instances that find no room, for a plan: what one of them needs, and where it would fit if agents were empty. Undefined:
 * nobody would be ended for them. O(rooms x constraints).
 */
export function waitingInPlan(
  group: string,
  need: Need,
  count: number,
  rooms: readonly Room[],
): { group: string; count: number; resources: Resources; agentIds: string[] } | undefined {
  const places = placesOf(need, rooms);
  return places && { group, count, resources: shapeOf(need), agentIds: [...places] };
}

import { addResources, describeShortage, missingResource, type Resources, resources } from "@muster/foundation";
import type { Offer } from "@muster/proto";
import { constraintFault, type Neighbours, noNeighbours, type PlacementConstraint } from "./constraints.ts";
import { isPortTaken, numberOf, type PortsInPart, portsInPart, type StaticPort } from "./ports.ts";
import type { Affinity, Spread } from "./preferences.ts";
import type { AgentTraits } from "./references.ts";

/** Room on one agent: of its offers, or of the whole agent. */
export interface Room extends AgentTraits {
  readonly available: Resources;
  /** Of its disk, what nobody has reserved; absent: that is not known, and enough. */
  readonly unreservedDiskMiB?: number;
  /** All that the agent has, if that is known: how full it gets is measured by it. */
  readonly total?: Resources;
  readonly portsTaken: ReadonlySet<number>;
  /** Of ports that are taken for one protocol or on one address alone: what is taken. Default: all are taken whole. */
  readonly portsInPart?: PortsInPart;
  /** The agent's dynamic range; 0 and 0 if that is not known. */
  readonly dynamicPortFirst: number;
  readonly dynamicPortLast: number;
  /** What it can run, if that is known. */
  readonly drivers?: readonly string[];
  readonly networkModes?: readonly string[];
}

/** What a task group needs. */
export interface Need {
  /** Without ports. */
  readonly resources: Resources;
  /** Of its disk, what is to be taken of what nobody has reserved: volumes are made of that. Default: none. */
  readonly unreservedDiskMiB?: number;
  /** How many ports of the agent's dynamic range. */
  readonly dynamicPortCount: number;
  /** Host ports by number, whole or in part. */
  readonly staticPorts: readonly StaticPort[];
  readonly constraints: readonly PlacementConstraint[];
  /** Drivers of its tasks; of several in one place the agent needs one. Default: any agent will do. */
  readonly drivers?: readonly (string | readonly string[])[];
  /** Modes of its group's networks. Default: any agent will do. */
  readonly networkModes?: readonly string[];
  /** Agents that are taken only if no other will do. */
  readonly avoids?: ReadonlySet<string>;
  readonly affinities?: readonly Affinity[];
  readonly spreads?: readonly Spread[];
  /** How many instances are wanted in all: what shares of spreads are shares of. */
  readonly wantedCount?: number;
  /**
   * Default: instances keep apart, and else fill machines. "pack": they fill machines, together or not. "spread": they
   * keep apart, and go where there is most room.
   */
  readonly policy?: "pack" | "spread";
}

/** Yes, with how well it packs (0 to 1, more is fuller); or no, with the first reason. */
export type Fit = { readonly fits: true; readonly score: number } | { readonly fits: false; readonly reason: string };

/** Whether a need fits into the room. Cheap tests come first; O(constraints + static ports). */
export function fit(need: Need, room: Room, neighbours: Neighbours = noNeighbours): Fit {
  const wanted = demandOn(need, room);
  const shortage = missingResource(wanted, room.available);
  if (shortage) return { fits: false, reason: describeShortage(shortage) };
  const { unreservedDiskMiB = 0 } = need;
  if (unreservedDiskMiB > (room.unreservedDiskMiB ?? Number.POSITIVE_INFINITY))
    return {
      fits: false,
      reason: `needs ${unreservedDiskMiB} MiB of disk that is not reserved, there are ${room.unreservedDiskMiB}`,
    };
  for (const port of need.staticPorts)
    if (isPortTaken(port, room)) return { fits: false, reason: `port ${numberOf(port)} is taken` };
  const missing = whatIsMissing(need, room);
  if (missing !== undefined) return { fits: false, reason: `${missing} does not work there` };
  for (const constraint of need.constraints) {
    const reason = constraintFault(constraint, room, neighbours);
    if (reason !== undefined) return { fits: false, reason };
  }
  return { fits: true, score: fullness(wanted, room) };
}

/** A driver or network mode that does not work there, in words; undefined: all do, as far as is known. */
export function whatIsMissing(need: Need, room: Pick<Room, "drivers" | "networkModes">): string | undefined {
  const driver = missingDriver(need, room);
  if (driver !== undefined) return `driver ${driver}`;
  const mode = need.networkModes?.find((name) => room.networkModes !== undefined && !room.networkModes.includes(name));
  return mode === undefined ? undefined : `network mode ${mode}`;
}

/** The first that does not work there, with those that would do as well; undefined: all do. */
function missingDriver({ drivers = [] }: Need, room: Pick<Room, "drivers">): string | undefined {
  if (!room.drivers) return undefined;
  for (const one of drivers) {
    const names = typeof one === "string" ? [one] : one;
    if (!names.some((name) => room.drivers?.includes(name))) return names.join(" or ");
  }
  return undefined;
}

/** The need with its ports as amounts: fixed ones count if they lie in the agent's dynamic range. */
export function demandOn(need: Need, room: Pick<Room, "dynamicPortFirst" | "dynamicPortLast">): Resources {
  let portCount = need.dynamicPortCount;
  for (const number of new Set(need.staticPorts.map(numberOf)))
    if (number >= room.dynamicPortFirst && number <= room.dynamicPortLast) portCount++;
  if (portCount === 0) return need.resources;
  return addResources(need.resources, resources({ portCount }));
}

/** Best fit: the mean of how full processor and memory get. Without the agent's total, relative to what is there. */
function fullness(wanted: Resources, room: Room): number {
  const { available, total = room.available } = room;
  const part = (need: number, have: number, all: number): number => (all <= 0 ? 1 : 1 - Math.max(0, have - need) / all);
  return (
    (part(wanted.cpuMillis, available.cpuMillis, total.cpuMillis) +
      part(wanted.memoryMiB, available.memoryMiB, total.memoryMiB)) /
    2
  );
}

/** The room of an offer. */
export function roomOf(offer: Offer): Room {
  return {
    agentId: offer.agentId,
    agentName: offer.agentName,
    attributes: new Map(offer.attributes.map(({ name, value }) => [name, value])),
    available: resources(offer.resources),
    unreservedDiskMiB: unreservedDisk(offer),
    portsTaken: new Set(offer.portsTaken),
    portsInPart: portsInPart(offer.portsInPart),
    dynamicPortFirst: offer.dynamicPortFirst,
    dynamicPortLast: offer.dynamicPortLast,
  };
}

function unreservedDisk({ resources: all, reserved }: Offer): number {
  const reservedMiB = reserved.reduce((sum, part) => sum + (part.resources?.diskMiB ?? 0), 0);
  return (all?.diskMiB ?? 0) - reservedMiB;
}

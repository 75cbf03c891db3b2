import { missingResource, type Resources, revocableCpu, type Shortage } from "@muster/foundation";
import { demandOn, type Need, type Room } from "./fit.ts";
import type { Rejection } from "./matcher.ts";

/** One reason why agents can't take something, and what would change it. */
export interface PlacementObstacle {
  /** Agents that give it. */
  readonly agentNames: readonly string[];
  /** With numbers: what is needed, and the most that any of these agents has. */
  readonly reason: string;
  /** What somebody can do about it. */
  readonly remedy: string;
}

/**
 * Sums up the reasons of single agents: by amount with the nearest miss, else by the reason's words. The reason that most
 * agents give comes first. O(agents).
 */
export function sumUpRejections(
  need: Need,
  rooms: Iterable<Room>,
  rejections: readonly Rejection[],
): PlacementObstacle[] {
  const byId = new Map<string, Room>();
  for (const room of rooms) byId.set(room.agentId, room);
  const kinds = new Map<string, { readonly refusing: Room[]; readonly names: string[]; readonly reason: string }>();
  for (const { agentId, agentName, reason } of rejections) {
    const room = byId.get(agentId);
    const shortage = room && missingResource(demandOn(need, room), room.available);
    const key = shortage ? `amount ${shortage.name}` : `reason ${reason}`;
    const kind = kinds.get(key) ?? { refusing: [], names: [], reason };
    kinds.set(key, kind);
    kind.names.push(agentName || agentId);
    if (room && shortage) kind.refusing.push(room);
  }
  return [...kinds.values()]
    .sort((a, b) => b.names.length - a.names.length)
    .map(({ names: agentNames, refusing, reason }) => ({
      agentNames,
      ...(refusing.length > 0 ? tooLittle(need, refusing) : { reason, remedy: remedyOf(reason) }),
    }));
}

/** Of an amount that all these agents have too little of. */
function tooLittle(need: Need, rooms: readonly Room[]): { reason: string; remedy: string } {
  const most = (amounts: (room: Room) => Resources): { shortage: Shortage | undefined; room: Room } =>
    rooms
      .map((room) => ({ shortage: missingResource(demandOn(need, room), amounts(room)), room }))
      .reduce((a, b) => ((a.shortage?.have ?? Infinity) >= (b.shortage?.have ?? Infinity) ? a : b));
  const free = most(({ available }) => available);
  const all = most(({ available, total = available }) => total);
  const { name = "", unit = "", need: wanted = 0, have = 0 } = free.shortage ?? {};
  const amount = (count: number): string => (unit === "" ? `${count} ${name}` : `${count} ${unit} of ${name}`);
  const nearest = free.room.agentName || free.room.agentId;
  const reason = `needs ${amount(wanted)}, the most that is free is ${have} on ${nearest}`;
  const lower = have > 0 ? `ask for at most ${have}, ` : "";
  // What is lent is what others leave unused: no agent has it by its size.
  if (name === revocableCpu)
    return { reason, remedy: `${lower}wait until tasks there use less, or let more agents lend (--lend-cpu)` };
  const remedy =
    all.shortage?.name === name
      ? `no agent will ever do, the largest has ${amount(all.shortage.have)} in all: ask for less, or add a larger one`
      : `${lower}wait until ${wanted - have} more are free on ${nearest}, or add an agent`;
  return { reason, remedy };
}

function remedyOf(reason: string): string {
  if (/^port .* is taken$/.test(reason)) return "leave the choice of the port to the agent, or add an agent";
  if (/ does not work there$/.test(reason)) return "agent status NAME says what it lacks";
  return "change the constraint, or add an agent that meets it";
}

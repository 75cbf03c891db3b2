import { type Random, type Resources, subtractResources } from "@muster/foundation";
import type { Neighbours } from "./constraints.ts";
import { demandOn, fit, type Need, type Room } from "./fit.ts";
import { type AgentTraits, resolveText } from "./references.ts";

/** More than neighbours ever count for: an agent that is avoided is the last. */
const avoidedPenalty = 1e9;

/** Why one agent can't take an instance. */
export interface Rejection {
  readonly agentId: string;
  readonly agentName: string;
  readonly reason: string;
}

export interface Placement {
  readonly agentId: string;
  readonly agentName: string;
}

/** Something that is placed. */
export interface Occupant {
  readonly agentId: string;
}

/** Who is where already. Grows as instances are placed. */
export interface Occupants extends Neighbours {
  add(agentId: string): void;
}

/**
 * Places instances one after another on the rooms given to it: the room that packs best is taken, equal ones in an
 * order that chance has settled once. What is placed reduces its room, so that needs do not meet twice.
 */
export class Matcher {
  readonly #rooms: OpenRoom[];
  readonly #traits: ReadonlyMap<string, AgentTraits>;

  /**
   * `random` settles the order of equal rooms: the same sequence gives the same placements. `others` are agents that
   * have no room but may have occupants, for `distinct_property` and `cluster`.
   */
  constructor(rooms: readonly Room[], random: Random, others: Iterable<AgentTraits> = []) {
    this.#rooms = rooms
      .map((room) => ({ room: new OpenRoom(room), draw: random.stream(room.agentId).next() }))
      .sort((a, b) => a.draw - b.draw || (a.room.agentId < b.room.agentId ? -1 : 1))
      .map(({ room }) => room);
    const traits = new Map<string, AgentTraits>();
    for (const other of others) traits.set(other.agentId, other);
    for (const room of this.#rooms) traits.set(room.agentId, room);
    this.#traits = traits;
  }

  /**
   * Takes the best room and adds to the occupants, or says of every room why not. Instances that share a machine share
   * its fate: fewer neighbours count for more than a fuller machine. O(rooms × constraints).
   */
  place(
    need: Need,
    present: Occupants | readonly Occupant[],
  ): { placed: Placement } | { rejections: readonly Rejection[] } {
    const occupants = this.#counted(present);
    const rejections: Rejection[] = [];
    let best: OpenRoom | undefined;
    let bestScore = Number.NEGATIVE_INFINITY;
    for (const room of this.#rooms) {
      const answer = fit(need, room, occupants);
      if (!answer.fits) {
        rejections.push({ agentId: room.agentId, agentName: room.agentName, reason: answer.reason });
        continue;
      }
      const isAvoided = need.avoids?.has(room.agentId) === true;
      const score = answer.score - occupants.countOn(room.agentId) - (isAvoided ? avoidedPenalty : 0);
      if (score <= bestScore) continue;
      best = room;
      bestScore = score;
    }
    if (best === undefined) return { rejections };
    best.take(need);
    occupants.add(best.agentId);
    return { placed: { agentId: best.agentId, agentName: best.agentName } };
  }

  /** Of each room that can't take the need: the first reason. */
  explain(need: Need, present: Occupants | readonly Occupant[]): readonly Rejection[] {
    const occupants = this.#counted(present);
    const rejections: Rejection[] = [];
    for (const room of this.#rooms) {
      const answer = fit(need, room, occupants);
      if (!answer.fits) rejections.push({ agentId: room.agentId, agentName: room.agentName, reason: answer.reason });
    }
    return rejections;
  }

  #counted(present: Occupants | readonly Occupant[]): Occupants {
    return "countOn" in present ? present : this.occupants(present.map(({ agentId }) => agentId));
  }

  /** Counts those who are there by agent, and by what a text comes to on their agents. */
  occupants(agentIds: Iterable<string>): Occupants {
    const counts = new Map<string, number>();
    const add = (agentId: string): void => {
      counts.set(agentId, (counts.get(agentId) ?? 0) + 1);
    };
    for (const agentId of agentIds) add(agentId);
    return {
      add,
      countOn: (agentId) => counts.get(agentId) ?? 0,
      countWith: (text, value) => {
        let sum = 0;
        for (const [agentId, count] of counts) {
          const traits = this.#traits.get(agentId);
          const has = traits === undefined ? undefined : resolveText(text, traits);
          if (has !== undefined && (value === undefined || has === value)) sum += count;
        }
        return sum;
      },
    };
  }
}

class OpenRoom implements Room {
  readonly agentId: string;
  readonly agentName: string;
  readonly attributes: ReadonlyMap<string, string>;
  available: Resources;
  readonly total: Resources;
  readonly portsTaken: Set<number>;
  readonly dynamicPortFirst: number;
  readonly dynamicPortLast: number;
  readonly drivers?: readonly string[];
  readonly networkModes?: readonly string[];

  constructor(room: Room) {
    this.agentId = room.agentId;
    this.agentName = room.agentName;
    this.attributes = room.attributes;
    this.available = room.available;
    this.total = room.total ?? room.available;
    this.portsTaken = new Set(room.portsTaken);
    this.dynamicPortFirst = room.dynamicPortFirst;
    this.dynamicPortLast = room.dynamicPortLast;
    if (room.drivers) this.drivers = room.drivers;
    if (room.networkModes) this.networkModes = room.networkModes;
  }

  take(need: Need): void {
    this.available = subtractResources(this.available, demandOn(need, this));
    for (const port of need.staticPorts) this.portsTaken.add(port);
  }
}

import type { Random } from "@muster/foundation";
import { Candidates, comparesValues, roomScore } from "./candidates.ts";
import { isOfValues } from "./constraints.ts";
import { fit, type Need, type Room } from "./fit.ts";
import { Occupancy, type Occupant, type Occupants } from "./occupancy.ts";
import { OpenRoom } from "./open-room.ts";
import { type AgentTraits, resolveText } from "./references.ts";

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

/** Needs whose candidates are kept for their next instance, the last ones. */
const searchesMax = 32;

interface Search {
  readonly need: Need;
  readonly occupants: Occupancy;
  /** Somebody has asked for a place before. */
  isKnown: boolean;
  /** Made for the second instance. */
  candidates: Candidates | undefined;
  /** The answer when nothing was found, as long as nothing has been placed since. */
  failed: { readonly rejections: readonly Rejection[]; readonly placedCount: number } | undefined;
}

/**
 * Places instances one after another on the rooms given to it: the room that packs best is taken, equal ones in an
 * order that chance has settled once. What is placed reduces its room, so that needs do not meet twice.
 */
export class Matcher {
  readonly #rooms: OpenRoom[];
  readonly #byId: ReadonlyMap<string, OpenRoom>;
  readonly #others: Iterable<AgentTraits>;
  #traits: ReadonlyMap<string, AgentTraits> | undefined;
  /** Rooms in the order in which something was placed there. */
  readonly #placed: OpenRoom[] = [];
  readonly #searches: Search[] = [];

  /**
   * `random` settles the order of equal rooms: the same sequence gives the same placements. `others` are agents that
   * are not offered but may have occupants, for constraints about values; those that are rooms are also places where
   * instances could be. They are not looked at before somebody asks.
   */
  constructor(rooms: readonly Room[], random: Random, others: Iterable<AgentTraits> = []) {
    this.#rooms = rooms
      .map((room) => ({ room, draw: random.stream(room.agentId).next() }))
      .sort((a, b) => a.draw - b.draw || (a.room.agentId < b.room.agentId ? -1 : 1))
      .map(({ room }, order) => new OpenRoom(room, order));
    this.#byId = new Map(this.#rooms.map((room) => [room.agentId, room]));
    this.#others = others;
  }

  /**
   * Takes the best room and adds to the occupants, or says of every room why not. O(rooms × constraints) for the first
   * instance of a need, given as the same object again then as `Candidates` says. With `only` that agent is the only one
   * that will do: O(constraints).
   */
  place(
    need: Need,
    present: Occupants | readonly Occupant[],
    only?: string,
  ): { placed: Placement } | { rejections: readonly Rejection[] } {
    const occupants = this.#counted(present);
    if (only !== undefined) {
      const room = this.#byId.get(only);
      const answer = room && fit(need, room, occupants);
      if (room === undefined || answer === undefined) return { rejections: [] };
      if (answer.fits) return this.#take(room, need, occupants);
      return { rejections: [{ agentId: room.agentId, agentName: room.agentName, reason: answer.reason }] };
    }
    const search = this.#searchOf(need, occupants);
    const { candidates } = search;
    if (candidates === undefined) return this.#placeFirst(search);
    for (; candidates.seenCount < this.#placed.length; candidates.seenCount++)
      candidates.look(this.#placed[candidates.seenCount] as OpenRoom);
    const placedCount = this.#placed.length;
    if (search.failed?.placedCount === placedCount) return { rejections: search.failed.rejections };
    const best = candidates.best();
    if (best) return this.#take(best, need, occupants);
    const rejections = this.#rejections(need, occupants);
    search.failed = { rejections, placedCount };
    return { rejections };
  }

  /** Of each room that can't take the need: the first reason. */
  explain(need: Need, present: Occupants | readonly Occupant[]): readonly Rejection[] {
    const occupants = this.#counted(present);
    if (need.constraints.some(isOfValues)) this.#searchOf(need, occupants);
    return this.#rejections(need, occupants);
  }

  /** Counts those who are there by agent, and by what a text comes to on their agents. */
  occupants(agentIds: Iterable<string>): Occupants {
    return new Occupancy(agentIds, (agentId) => this.#traitsOf(agentId));
  }

  #counted(present: Occupants | readonly Occupant[]): Occupancy {
    // There is one kind of occupants: `occupants` makes them.
    if ("countOn" in present) return present as Occupancy;
    return new Occupancy(
      present.map(({ agentId }) => agentId),
      (agentId) => this.#traitsOf(agentId),
    );
  }

  #traitsOf(agentId: string): AgentTraits | undefined {
    const room = this.#byId.get(agentId);
    if (room) return room;
    this.#traits ??= new Map([...this.#others].map((other) => [other.agentId, other]));
    return this.#traits.get(agentId);
  }

  #searchOf(need: Need, occupants: Occupancy): Search {
    const present = this.#searches.find((one) => one.need === need && one.occupants === occupants);
    if (present) {
      if (present.isKnown && present.candidates === undefined) this.#prepare(present);
      return present;
    }
    const search: Search = { need, occupants, isKnown: false, candidates: undefined, failed: undefined };
    this.#searches.unshift(search);
    if (this.#searches.length > searchesMax) this.#searches.pop();
    if (comparesValues(need)) this.#prepare(search);
    return search;
  }

  #prepare(search: Search): void {
    const { need, occupants } = search;
    search.candidates = new Candidates(need, occupants, this.#rooms, this.#placed.length);
    this.#admitValues(need, occupants, search.candidates);
  }

  /** Many needs have one instance: each room is looked at once, and nothing is kept. */
  #placeFirst(search: Search): { placed: Placement } | { rejections: readonly Rejection[] } {
    const { need, occupants } = search;
    const rejections: Rejection[] = [];
    let best: OpenRoom | undefined;
    let bestScore = Number.NEGATIVE_INFINITY;
    for (const room of this.#rooms) {
      const answer = fit(need, room, occupants);
      if (!answer.fits) {
        rejections.push({ agentId: room.agentId, agentName: room.agentName, reason: answer.reason });
        continue;
      }
      const score = roomScore(need, answer.score, room, occupants);
      if (score <= bestScore) continue;
      best = room;
      bestScore = score;
    }
    search.isKnown = true;
    if (best) return this.#take(best, need, occupants);
    search.failed = { rejections, placedCount: this.#placed.length };
    return { rejections };
  }

  /** Instances are balanced over the values that they could have, and these are not only those that are offered now. */
  #admitValues(need: Need, occupants: Occupancy, candidates: Candidates): void {
    const own = { ...need, constraints: need.constraints.filter((one) => !isOfValues(one)) };
    for (const { operator, attribute } of need.constraints) {
      if (operator !== "group_by") continue;
      occupants.admit(attribute, candidates.valuesOf(attribute));
      this.#traitsOf("");
      for (const other of this.#traits?.values() ?? []) {
        if (this.#byId.has(other.agentId) || !("available" in other)) continue;
        const value = resolveText(attribute, other);
        if (value !== undefined && fit(own, other as Room, occupants).fits) occupants.admit(attribute, [value]);
      }
    }
  }

  #take(room: OpenRoom, need: Need, occupants: Occupancy): { placed: Placement } {
    room.take(need);
    occupants.add(room.agentId);
    this.#placed.push(room);
    return { placed: { agentId: room.agentId, agentName: room.agentName } };
  }

  #rejections(need: Need, occupants: Occupancy): Rejection[] {
    const rejections: Rejection[] = [];
    for (const room of this.#rooms) {
      const answer = fit(need, room, occupants);
      if (!answer.fits) rejections.push({ agentId: room.agentId, agentName: room.agentName, reason: answer.reason });
    }
    return rejections;
  }
}

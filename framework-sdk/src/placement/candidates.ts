import { constraintFault, isOfValues } from "./constraints.ts";
import { fit, type Need } from "./fit.ts";
import type { Occupancy } from "./occupancy.ts";
import type { OpenRoom } from "./open-room.ts";
import { affinityScore, type Spread, spreadScore } from "./preferences.ts";
import { resolveText } from "./references.ts";

/** More than neighbours ever count for: an agent that is avoided is the last. */
const avoidedPenalty = 1e9;

interface Candidate {
  readonly room: OpenRoom;
  readonly score: number;
  /** Overtaken by a later look at its room. */
  isStale: boolean;
}

/** Rooms in which the properties that count have the same values: what holds of one there holds of all. */
interface Bucket {
  readonly spreadValues: readonly (string | undefined)[];
  /** The best first. */
  readonly heap: Candidate[];
  readonly first: OpenRoom;
}

/**
 * The rooms that could take a need, in order: what depends on a room alone is settled once and again when something was
 * placed there; what depends on how instances are distributed over values is asked once per combination of values.
 * Made in O(rooms × constraints); then a placement is O(combinations × spreads + log rooms).
 */
export class Candidates {
  readonly #need: Need;
  readonly #own: Need;
  readonly #occupants: Occupancy;
  readonly #spreads: readonly Spread[];
  readonly #buckets = new Map<string, Bucket>();
  readonly #byRoom = new Map<OpenRoom, { readonly bucket: Bucket; candidate: Candidate | undefined }>();
  /** How many of the matcher's placements have been looked at. */
  seenCount: number;

  constructor(need: Need, occupants: Occupancy, rooms: readonly OpenRoom[], seenCount: number) {
    this.#need = need;
    this.#own = { ...need, constraints: need.constraints.filter((one) => !isOfValues(one)) };
    this.#occupants = occupants;
    this.seenCount = seenCount;
    this.#spreads = spreadsOf(need);
    const texts = need.constraints.filter(isOfValues).map(({ attribute }) => attribute);
    for (const room of rooms) {
      const spreadValues = this.#spreads.map(({ attribute }) => resolveText(attribute, room));
      const values = texts.map((text) => resolveText(text, room));
      const key =
        values.length + spreadValues.length === 0
          ? ""
          : JSON.stringify([values, spreadValues].map((list) => list.map((one) => one ?? null)));
      let bucket = this.#buckets.get(key);
      if (bucket === undefined) {
        bucket = { spreadValues, heap: [], first: room };
        this.#buckets.set(key, bucket);
      }
      const entry = { bucket, candidate: undefined };
      this.#byRoom.set(room, entry);
      this.look(room);
    }
  }

  /** Something has changed in a room. O(constraints + log rooms). */
  look(room: OpenRoom): void {
    const entry = this.#byRoom.get(room);
    if (entry === undefined) return;
    if (entry.candidate) entry.candidate.isStale = true;
    const answer = fit(this.#own, room, this.#occupants);
    entry.candidate = answer.fits
      ? { room, score: roomScore(this.#need, answer.score, room, this.#occupants), isStale: false }
      : undefined;
    if (entry.candidate) push(entry.bucket.heap, entry.candidate);
  }

  /** Values of a text where a room could take the need, as far as the rooms themselves say. */
  valuesOf(text: string): Set<string> {
    const values = new Set<string>();
    for (const [room, { candidate }] of this.#byRoom) {
      const value = candidate && resolveText(text, room);
      if (value !== undefined) values.add(value);
    }
    return values;
  }

  best(): OpenRoom | undefined {
    const { constraints, wantedCount = 0 } = this.#need;
    const spreads = this.#spreads;
    const counts = spreads.map(({ attribute }) => this.#occupants.countsBy(attribute));
    let best: Candidate | undefined;
    let bestScore = Number.NEGATIVE_INFINITY;
    for (const { heap, first, spreadValues } of this.#buckets.values()) {
      while (heap[0]?.isStale) pop(heap);
      const [candidate] = heap;
      if (candidate === undefined) continue;
      if (constraints.some((one) => isOfValues(one) && constraintFault(one, first, this.#occupants) !== undefined))
        continue;
      const score = candidate.score + spreadScore(spreads, spreadValues, counts, wantedCount);
      if (score < bestScore || (score === bestScore && best && candidate.room.order > best.room.order)) continue;
      best = candidate;
      bestScore = score;
    }
    return best?.room;
  }
}

/**
 * How good a room is by itself. Instances that share a machine share its fate: without other wishes fewer neighbours
 * count for more than a fuller machine. O(affinities).
 */
export function roomScore(need: Need, fullness: number, room: OpenRoom, occupants: Occupancy): number {
  const { affinities, avoids, policy, wantedCount = 0 } = need;
  const liked = affinities === undefined || affinities.length === 0 ? 0 : affinityScore(affinities, room);
  const wished = liked - (avoids?.has(room.agentId) === true ? avoidedPenalty : 0);
  if (policy === "pack") return fullness + wished;
  // Beside what is liked and spread a neighbour counts as much as its share of all.
  const share = hasPreferences(need) ? Math.max(1, wantedCount) : 1;
  return (policy === "spread" ? -fullness : fullness) - occupants.countOn(room.agentId) / share + wished;
}

function hasPreferences(need: Need): boolean {
  return (need.affinities?.length ?? 0) > 0 || spreadsOf(need).length > 0;
}

/** What is to be spread, and what is to be balanced where that is possible. */
export function spreadsOf({ spreads = [], constraints }: Need): readonly Spread[] {
  if (constraints.every(({ operator }) => operator !== "group_by")) return spreads;
  const balanced = constraints.filter(({ operator }) => operator === "group_by");
  return [...spreads, ...balanced.map(({ attribute }) => ({ attribute, weight: 100, targets: [] }))];
}

/** Whether the values of several rooms must be compared to find the best: a look at each by itself does not do. */
export function comparesValues(need: Need): boolean {
  return spreadsOf(need).length > 0;
}

function isBefore(a: Candidate, b: Candidate): boolean {
  return a.score > b.score || (a.score === b.score && a.room.order < b.room.order);
}

function push(heap: Candidate[], candidate: Candidate): void {
  let at = heap.length;
  heap.push(candidate);
  while (at > 0) {
    const above = (at - 1) >> 1;
    const parent = heap[above] as Candidate;
    if (!isBefore(candidate, parent)) break;
    heap[at] = parent;
    at = above;
  }
  heap[at] = candidate;
}

function pop(heap: Candidate[]): void {
  const last = heap.pop();
  if (last === undefined || heap.length === 0) return;
  let at = 0;
  for (;;) {
    let below = 2 * at + 1;
    const left = heap[below];
    if (left === undefined) break;
    const right = heap[below + 1];
    if (right !== undefined && isBefore(right, left)) below++;
    const child = heap[below] as Candidate;
    if (!isBefore(child, last)) break;
    heap[at] = child;
    at = below;
  }
  heap[at] = last;
}

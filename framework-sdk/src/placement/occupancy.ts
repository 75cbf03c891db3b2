import type { Neighbours } from "./constraints.ts";
import { type AgentTraits, resolveText } from "./references.ts";

/** Something that is placed. */
export interface Occupant {
  readonly agentId: string;
}

/** Who is where already. Grows as instances are placed. */
export interface Occupants extends Neighbours {
  add(agentId: string): void;
}

/** Counts those who are there by agent, and, once asked for, by what a text comes to on their agents. */
export class Occupancy implements Occupants {
  readonly #byAgent = new Map<string, number>();
  readonly #byText = new Map<string, Map<string, number>>();
  readonly #traitsOf: (agentId: string) => AgentTraits | undefined;

  constructor(agentIds: Iterable<string>, traitsOf: (agentId: string) => AgentTraits | undefined) {
    this.#traitsOf = traitsOf;
    for (const agentId of agentIds) this.add(agentId);
  }

  /** O(texts that were asked for). */
  add(agentId: string): void {
    this.#byAgent.set(agentId, (this.#byAgent.get(agentId) ?? 0) + 1);
    for (const [text, counts] of this.#byText) this.#count(text, counts, agentId, 1);
  }

  countOn(agentId: string): number {
    return this.#byAgent.get(agentId) ?? 0;
  }

  countWith(text: string, value?: string): number {
    const counts = this.countsBy(text);
    if (value !== undefined) return counts.get(value) ?? 0;
    let sum = 0;
    for (const count of counts.values()) sum += count;
    return sum;
  }

  /** O(agents with occupants) at the first question, then O(1). */
  countsBy(text: string): ReadonlyMap<string, number> {
    let counts = this.#byText.get(text);
    if (counts === undefined) {
      counts = new Map();
      for (const [agentId, count] of this.#byAgent) this.#count(text, counts, agentId, count);
      this.#byText.set(text, counts);
    }
    return counts;
  }

  /** Values that instances could have, whether or not one has. */
  admit(text: string, values: Iterable<string>): void {
    const counts = this.countsBy(text) as Map<string, number>;
    for (const value of values) if (!counts.has(value)) counts.set(value, 0);
  }

  #count(text: string, counts: Map<string, number>, agentId: string, count: number): void {
    const traits = this.#traitsOf(agentId);
    const value = traits === undefined ? undefined : resolveText(text, traits);
    if (value !== undefined) counts.set(value, (counts.get(value) ?? 0) + count);
  }
}

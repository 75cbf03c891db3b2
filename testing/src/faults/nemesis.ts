import type { Cancel, Random } from "@muster/foundation";
import type { World } from "../world/world.ts";
import type { Hits } from "./hits.ts";

/** One thing that can go wrong with one component. */
export interface Affliction {
  /** The fault, for instance "crash". */
  readonly fault: string;
  /** What kind of thing it befalls, for instance "master". */
  readonly component: string;
  /**
   * Does it; false if it was not possible now. `lastsMs` is how long a fault that lasts should last. What is given back
   * undoes it, and is called once at the latest when the chaos ends.
   */
  inflict(lastsMs: number): Cancel | boolean;
  /** Hosts that may be taken for lost through it. Default: all of them. */
  readonly cutsOff?: readonly string[];
  /** True if somebody else counts the hits, for instance the network, message by message. */
  readonly isCountedElsewhere?: boolean;
}

export interface NemesisOptions {
  /** Mean time between two faults, drawn anew for each run between these. */
  readonly pauseMs: { readonly first: number; readonly last: number };
  /** How long a fault lasts at most. */
  readonly lastsMsMax: number;
  /** Of how many kinds of faults a run has any, as a probability per kind. */
  readonly kindRate: number;
}

export const nemesisDefaults: NemesisOptions = {
  pauseMs: { first: 3_000, last: 20_000 },
  lastsMsMax: 60_000,
  kindRate: 0.5,
};

/**
 * Makes things go wrong. First it draws which kinds of faults this run has at all, so that some runs are rare mixtures
 * that an average of everything would never show; then when and whom they befall.
 */
export class Nemesis {
  readonly #world: World;
  readonly #random: Random;
  readonly #hits: Hits;
  readonly #chosen: readonly Affliction[];
  readonly #options: NemesisOptions;
  readonly #meanPauseMs: number;
  readonly #undo = new Set<Cancel>();
  readonly #told: string[] = [];
  readonly #underWay = new Set<Affliction>();
  readonly #endedAtMs = new Map<Affliction, number>();
  #isOver = false;

  constructor(
    world: World,
    afflictions: readonly Affliction[],
    hits: Hits,
    options = nemesisDefaults,
    name = "nemesis",
  ) {
    this.#world = world;
    this.#hits = hits;
    this.#options = options;
    this.#random = world.random(name);
    const kinds = [...new Set(afflictions.map(({ fault }) => fault))].sort();
    const chosen = new Set(kinds.filter(() => this.#random.next() < options.kindRate));
    this.#chosen = afflictions.filter(({ fault }) => chosen.has(fault));
    const { first, last } = options.pauseMs;
    this.#meanPauseMs = first + this.#random.next() * (last - first);
  }

  /** The kinds of faults of this run. */
  get kinds(): string[] {
    return [...new Set(this.#chosen.map(({ fault }) => fault))];
  }

  /** What was done, for people. */
  get history(): readonly string[] {
    return this.#told;
  }

  /** When something last went wrong: now, if it still does. With a host: only what may cut that host off counts. */
  lastAtMs(host?: string): number {
    const matters = ({ cutsOff }: Affliction): boolean =>
      host === undefined || cutsOff === undefined || cutsOff.includes(host);
    for (const affliction of this.#underWay) if (matters(affliction)) return this.#world.nowMs;
    let lastMs = Number.NEGATIVE_INFINITY;
    for (const [affliction, atMs] of this.#endedAtMs) if (matters(affliction)) lastMs = Math.max(lastMs, atMs);
    return lastMs;
  }

  /** Begins. */
  start(): void {
    if (this.#chosen.length === 0) return;
    const delayMs = this.#random.next() * 2 * this.#meanPauseMs;
    this.#world.after(undefined, delayMs, "nemesis", () => {
      if (this.#isOver) return;
      this.#strike();
      this.start();
    });
  }

  /** Ends what lasts, and begins nothing any more. */
  heal(): void {
    this.#isOver = true;
    for (const undo of [...this.#undo]) undo();
    this.#undo.clear();
  }

  #strike(): void {
    // By kind first: a fault that many components can have is not more frequent than one of few.
    const kinds = this.kinds;
    const kind = kinds[Math.floor(this.#random.next() * kinds.length)];
    const candidates = this.#chosen.filter(({ fault }) => fault === kind);
    const affliction = candidates[Math.floor(this.#random.next() * candidates.length)];
    const lastsMs = this.#options.lastsMsMax * this.#random.next() ** 2;
    if (affliction === undefined) return;
    const outcome = affliction.inflict(lastsMs);
    if (outcome === false) return;
    this.#told.push(`${(this.#world.nowMs / 1_000).toFixed(3)} s: ${affliction.fault} ${affliction.component}`);
    if (!affliction.isCountedElsewhere) this.#hits.add(affliction.fault, affliction.component);
    this.#endedAtMs.set(affliction, this.#world.nowMs);
    if (typeof outcome !== "function") return;
    this.#underWay.add(affliction);
    const undo = (): void => {
      if (!this.#undo.delete(undo)) return;
      this.#underWay.delete(affliction);
      this.#endedAtMs.set(affliction, this.#world.nowMs);
      outcome();
    };
    this.#undo.add(undo);
    this.#world.after(undefined, lastsMs, "nemesis-ends", undo);
  }
}

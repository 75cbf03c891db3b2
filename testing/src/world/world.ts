import { AssertionError, type Cancel, type Clock, type Random, seededRandom } from "@muster/foundation";
import { Heap } from "./heap.ts";
import type { Death, Life } from "./life.ts";
import { withPoisonedGlobals } from "./poison.ts";
import { Trace } from "./trace.ts";

/** More events than this at one instant: somebody wakes himself without end. */
const eventsPerInstantMax = 200_000;

/** The epoch time at which every world begins: 2026-01-05T00:00Z, a Monday. */
export const worldBeginsAt = 1_767_571_200_000;

interface Event {
  atMs: number;
  sequence: number;
  readonly life: MutableLife | undefined;
  readonly kind: string;
  run: (() => void) | undefined;
}

interface MutableLife extends Life {
  alive: boolean;
  pausedUntilMs: number;
  stepCount: number;
  readonly deaths: ((death: Death) => void)[];
}

/** Thrown by `run` when a component threw: a bug of ours, with the place in time where it showed. */
export class WorldError extends Error {
  readonly atMs: number;
  readonly who: string;

  constructor(atMs: number, who: string, cause: unknown) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    super(`${who} threw at ${atMs.toFixed(3)} ms: ${reason}`, { cause });
    this.name = "WorldError";
    this.atMs = atMs;
    this.who = who;
  }
}

/**
 * Virtual time. One heap of due events, ordered by time and then by arrival; the next event runs when the last has
 * returned, so nothing happens at the same time and everything happens in the same order for the same seed.
 */
export class World {
  readonly seed: string;
  readonly trace = new Trace();
  readonly #random: Random;
  readonly #heap = new Heap<Event>();
  readonly #skews = new Map<string, number>();
  readonly #livesCounted = new Map<string, number>();
  #nowMs = 0;
  #sequence = 0;

  constructor(seed: string | number) {
    this.seed = String(seed);
    this.#random = seededRandom(`world/${seed}`);
  }

  /** Milliseconds since the world began. */
  get nowMs(): number {
    return this.#nowMs;
  }

  /** The true time, without any host's skew. */
  get epochMs(): number {
    return worldBeginsAt + Math.floor(this.#nowMs);
  }

  /** One sequence per entity and purpose: a draw more or less here changes nothing there. */
  random(name: string): Random {
    return this.#random.stream(name);
  }

  /** Begins a life. `host` is the machine; by default each program has its own. */
  begin(name: string, host: string = name): Life {
    const number = (this.#livesCounted.get(name) ?? 0) + 1;
    this.#livesCounted.set(name, number);
    const life: MutableLife = { name, host, number, alive: true, pausedUntilMs: 0, stepCount: 0, deaths: [] };
    this.trace.add(this.#nowMs, "begin", name, host);
    return life;
  }

  /** Ends a life: nothing more happens to it or through it. */
  end(life: Life, death: Death): void {
    const mine = life as MutableLife;
    if (!mine.alive) return;
    mine.alive = false;
    this.trace.add(this.#nowMs, `end-${death}`, life.name, life.host);
    for (const died of mine.deaths.splice(0)) died(death);
  }

  /** Calls back when the life ends. */
  onEnd(life: Life, died: (death: Death) => void): void {
    (life as MutableLife).deaths.push(died);
  }

  /** Stops a life as SIGSTOP would: its events wait, in order, until it is over. */
  pause(life: Life, durationMs: number): void {
    this.trace.add(this.#nowMs, "pause", life.name, life.host);
    (life as MutableLife).pausedUntilMs = this.#nowMs + durationMs;
  }

  /** Sets how far the wall clock of a host is off, in milliseconds. */
  skew(host: string, byMs: number): void {
    this.#skews.set(host, byMs);
  }

  /** The clock of a life. */
  clockOf(life: Life): Clock {
    return {
      monotonicMs: () => this.#nowMs,
      epochMs: () => this.epochMs + (this.#skews.get(life.host) ?? 0),
      after: (delayMs, wake) => this.after(life, delayMs, "timer", wake),
    };
  }

  /** Lets something happen to a life, or to the world itself, after a delay. Dead lives miss it. */
  after(life: Life | undefined, delayMs: number, kind: string, run: () => void): Cancel {
    const event: Event = {
      atMs: this.#nowMs + Math.max(0, delayMs),
      sequence: this.#sequence++,
      life: life as MutableLife | undefined,
      kind,
      run,
    };
    this.#heap.push(event);
    return () => {
      event.run = undefined;
    };
  }

  /** Runs everything that is due up to then, and no further. Throws a WorldError at the first bug. */
  run(options: { readonly untilMs: number }): void {
    const foreign = withPoisonedGlobals(() => this.#runUntil(options.untilMs));
    if (foreign.size > 0) {
      const facts = Object.fromEntries(foreign);
      throw new AssertionError("a component began asynchronous work of its own in a simulated world", facts);
    }
  }

  #runUntil(untilMs: number): void {
    let atSameInstant = 0;
    for (let next = this.#heap.peek(); next !== undefined && next.atMs <= untilMs; next = this.#heap.peek()) {
      this.#heap.pop();
      atSameInstant = next.atMs === this.#nowMs ? atSameInstant + 1 : 0;
      if (atSameInstant > eventsPerInstantMax) {
        const who = next.life?.name ?? "the world";
        throw new WorldError(this.#nowMs, who, `more than ${eventsPerInstantMax} events at one instant`);
      }
      this.#nowMs = next.atMs;
      this.#step(next);
    }
    this.#nowMs = Math.max(this.#nowMs, untilMs);
  }

  #step(event: Event): void {
    const { run, life } = event;
    if (run === undefined || life?.alive === false) return;
    if (life !== undefined && life.pausedUntilMs > this.#nowMs) {
      event.atMs = life.pausedUntilMs;
      event.sequence = this.#sequence++;
      this.#heap.push(event);
      return;
    }
    if (life !== undefined) life.stepCount++;
    const who = life?.name ?? "world";
    this.trace.add(this.#nowMs, event.kind, who, "");
    try {
      run();
    } catch (error) {
      if (error instanceof WorldError) throw error;
      throw new WorldError(this.#nowMs, who, error);
    }
  }
}

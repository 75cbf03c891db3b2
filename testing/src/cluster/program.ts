import type { Death, Life } from "../world/life.ts";
import type { World } from "../world/world.ts";

/** A program that is down is started again after this, doubled with each early death. */
export const restartDelayMs = { first: 200, last: 5_000 } as const;
/** A life this long makes up for earlier deaths. */
const steadyMs = 10_000;

export interface ProgramOptions {
  /** Unique in the cluster, for instance "agent-1". */
  readonly name: string;
  /** What kind of program it is, for instance "agent". */
  readonly component: string;
  /** Makes everything of one life: components, servers, timers. They end with the life. */
  readonly start: (life: Life) => void;
}

/** A program under a supervisor that starts it again whenever it has died. */
export class Program {
  readonly name: string;
  readonly component: string;
  readonly #world: World;
  readonly #start: (life: Life) => void;
  #life: Life | undefined;
  #startedAtMs = 0;
  #earlyDeaths = 0;
  #isWanted = true;

  constructor(world: World, { name, component, start }: ProgramOptions) {
    this.#world = world;
    this.name = name;
    this.component = component;
    this.#start = start;
  }

  /** The life that it has now, if any. */
  get life(): Life | undefined {
    return this.#life?.alive ? this.#life : undefined;
  }

  /** Begins a life as an event of its own, so that it begins inside the world's time. */
  start(delayMs = 0): void {
    this.#world.after(undefined, delayMs, "start", () => {
      if (this.life !== undefined || !this.#isWanted) return;
      const life = this.#world.begin(this.name);
      this.#life = life;
      this.#startedAtMs = this.#world.nowMs;
      this.#start(life);
    });
  }

  /** Ends its life; the supervisor begins the next one, after `downMs` if given. False if it has none. */
  crash(death: Death = "killed", downMs?: number): boolean {
    const life = this.life;
    if (life === undefined) return false;
    this.#world.end(life, death);
    const isEarly = this.#world.nowMs - this.#startedAtMs < steadyMs;
    this.#earlyDeaths = isEarly ? this.#earlyDeaths + 1 : 0;
    const backOffMs = Math.min(restartDelayMs.last, restartDelayMs.first * 2 ** this.#earlyDeaths);
    this.start(downMs ?? backOffMs);
    return true;
  }

  /** Ends it for good. */
  remove(): void {
    this.#isWanted = false;
    if (this.life !== undefined) this.#world.end(this.life, "killed");
  }
}

import type { Cancel, Clock } from "@muster/foundation";
import type { Scheduler } from "../scheduler/types.ts";
import type { Neighbours } from "./constraints.ts";
import { demandsOf, placesOf, type WaitingNeed } from "./demanded.ts";
import type { Need, Room } from "./fit.ts";

/** What has waited so long is not about to be placed: it is worked out where room could be made for it. */
const patienceMs = 1_000;
/** Where that is is worked out anew, as agents and instances come and go, no more often than this. */
const placesIntervalMs = 5_000;
/** For so many keys at a time, the most important first. */
const placesWorkedOutMax = 64;

/** Something that waits for an agent in a role. */
export interface Waits {
  readonly role: string;
  /** The same for all that need the same, for instance "web/frontend". */
  readonly key: string;
  readonly need: Need;
  readonly priority: number;
  /** Those that count for `distinct_hosts`. Default: nobody. */
  readonly neighbours?: () => Neighbours;
}

interface Known {
  readonly sinceMs: number;
  placesAtMs: number;
  places: readonly string[] | undefined;
}

/** Tells the master what a framework that chooses among whole agents waits for, as often as that changes. */
export class DemandTeller {
  readonly #scheduler: Pick<Scheduler, "demand">;
  readonly #clock: Clock;
  readonly #again: () => void;
  readonly #told = new Map<string, string>();
  #known = new Map<string, Known>();
  #timer: Cancel | undefined;

  /** `again` makes `tell` be called again, with what waits then. */
  constructor(scheduler: Pick<Scheduler, "demand">, clock: Clock, again: () => void) {
    this.#scheduler = scheduler;
    this.#clock = clock;
    this.#again = again;
  }

  stop(): void {
    this.#timer?.();
    this.#timer = undefined;
  }

  /** Everything that waits in these roles now. O(waiting log waiting), and O(agents) for what has waited for long. */
  tell(roles: readonly string[], waiting: readonly Waits[], rooms: () => readonly Room[]): void {
    const byRole = new Map<string, WaitingNeed[]>(roles.map((role) => [role, []]));
    const known = new Map<string, Known>();
    const nowMs = this.#clock.monotonicMs();
    let [workedOut, isAnyYoung] = [0, false];
    let all: readonly Room[] | undefined;
    for (const { role, key, need, priority, neighbours } of [...waiting].sort((a, b) => b.priority - a.priority)) {
      let one = known.get(key);
      if (one === undefined) {
        one = this.#known.get(key) ?? { sinceMs: nowMs, placesAtMs: Number.NEGATIVE_INFINITY, places: undefined };
        known.set(key, one);
        if (nowMs - one.sinceMs < patienceMs) isAnyYoung = true;
        else if (nowMs - one.placesAtMs >= placesIntervalMs && workedOut++ < placesWorkedOutMax) {
          all ??= rooms();
          one.placesAtMs = nowMs;
          one.places = placesOf(need, all, neighbours?.());
        }
      }
      byRole.get(role)?.push({ key, need, priority, places: one.places });
    }
    this.#known = known;
    for (const [role, own] of byRole) this.#say(role, own);
    if (isAnyYoung) this.#lookAgain();
  }

  #say(role: string, waiting: readonly WaitingNeed[]): void {
    const demands = demandsOf(waiting);
    const text = JSON.stringify(demands);
    if (this.#told.get(role) === text) return;
    this.#told.set(role, text);
    this.#scheduler.demand(demands, role);
  }

  #lookAgain(): void {
    this.#timer ??= this.#clock.after(patienceMs, () => {
      this.#timer = undefined;
      this.#again();
    });
  }
}

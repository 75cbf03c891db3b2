import type { Cancel, Clock } from "@muster/foundation";
import type { Proc } from "../world/proc.ts";
import type { AgentState } from "./core/model.ts";
import { ownedCommands } from "./core/owned.ts";

/**
 * Has what no task owns ended and freed again and again, whatever left it behind: a crash at some moment, a file system
 * that failed for a while, somebody's hand.
 */
export class Sweeper {
  readonly #clock: Clock;
  readonly #proc: Proc;
  readonly #state: AgentState;
  readonly #everyMs: number;
  #next: Cancel | undefined;

  constructor(clock: Clock, proc: Proc, state: AgentState, everyMs: number) {
    this.#clock = clock;
    this.#proc = proc;
    this.#state = state;
    this.#everyMs = everyMs;
  }

  start(): void {
    this.#next = this.#clock.after(this.#everyMs, () => {
      this.#proc.keep(ownedCommands(this.#state));
      this.start();
    });
  }

  stop(): void {
    this.#next?.();
  }
}

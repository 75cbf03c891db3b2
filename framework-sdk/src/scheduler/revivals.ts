/** Most time between two revivals of one role: what a cluster of a thousand agents or more is given. */
export const reviveIntervalMsMax = 1_000;
/** Least time between two revivals of one role. */
const reviveIntervalMsMin = 10;
/** A revival makes the master look at every agent once: so long may pass for each that was offered. */
const reviveIntervalMsPerAgent = 1;

/**
 * Lets revivals of a role pass so often as the cluster's size allows, at most one a second in large ones; those between
 * are one, later. In a cluster of one machine a job must not wait a second for the offer that starts it.
 */
export class ReviveLimiter {
  readonly #lastMs = new Map<string, number>();
  readonly #waiting = new Set<string>();
  readonly #agents = new Set<string>();

  /** An agent was offered. */
  sawAgent(agentId: string): void {
    if (this.#agents.size * reviveIntervalMsPerAgent < reviveIntervalMsMax) this.#agents.add(agentId);
  }

  /** True: revive now. False: it is due later, see `dueInMs`. */
  ask(role: string, nowMs: number): boolean {
    const last = this.#lastMs.get(role);
    if (last !== undefined && nowMs - last < this.#intervalMs) {
      this.#waiting.add(role);
      return false;
    }
    this.#lastMs.set(role, nowMs);
    this.#waiting.delete(role);
    return true;
  }

  /** Roles whose turn has come. */
  due(nowMs: number): readonly string[] {
    return [...this.#waiting].filter((role) => nowMs - (this.#lastMs.get(role) ?? 0) >= this.#intervalMs);
  }

  /** Time until the next waiting role's turn; undefined if none waits. */
  dueInMs(nowMs: number): number | undefined {
    let soonest: number | undefined;
    for (const role of this.#waiting) {
      const inMs = Math.max(0, (this.#lastMs.get(role) ?? 0) + this.#intervalMs - nowMs);
      if (soonest === undefined || inMs < soonest) soonest = inMs;
    }
    return soonest;
  }

  /** It wants nothing any more. */
  forget(role: string): void {
    this.#waiting.delete(role);
  }

  get #intervalMs(): number {
    return Math.min(Math.max(this.#agents.size * reviveIntervalMsPerAgent, reviveIntervalMsMin), reviveIntervalMsMax);
  }
}

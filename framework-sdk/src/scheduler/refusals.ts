/** How long a first refusal keeps an agent's resources away. */
export const refuseMsFirst = 5_000;
/** How long a refusal lasts at most. */
export const refuseMsMax = 120_000;
/** Pairs of role and agent that are remembered. Beyond, all begin anew: they are refused a little too shortly. */
const refusedMax = 50_000;

/**
 * How long to refuse: 5 s at first, twice as long each time, 120 s at most, per role and agent. A framework with
 * nothing to place there is thus asked less and less often, and what it wants next begins anew.
 */
export class RefusalPolicy {
  readonly #lastMs = new Map<string, Map<string, number>>();
  #count = 0;

  nextMs(role: string, agentId: string): number {
    if (this.#count >= refusedMax) this.#forgetAll();
    let agents = this.#lastMs.get(role);
    if (agents === undefined) {
      agents = new Map();
      this.#lastMs.set(role, agents);
    }
    const last = agents.get(agentId);
    if (last === undefined) this.#count++;
    const next = last === undefined ? refuseMsFirst : Math.min(last * 2, refuseMsMax);
    agents.set(agentId, next);
    return next;
  }

  /** The role wants something new. */
  revived(role: string): void {
    this.#count -= this.#lastMs.get(role)?.size ?? 0;
    this.#lastMs.delete(role);
  }

  /** Something was placed there: it is no useless agent. */
  used(role: string, agentId: string): void {
    if (this.#lastMs.get(role)?.delete(agentId)) this.#count--;
  }

  #forgetAll(): void {
    this.#lastMs.clear();
    this.#count = 0;
  }
}

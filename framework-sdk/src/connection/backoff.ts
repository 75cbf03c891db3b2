import { isStandby, type MusterError, type Random, standbyRetryMs } from "@muster/foundation";

export interface BackoffLimits {
  /** The longest first delay. */
  readonly firstMs: number;
  /** The longest delay of all. */
  readonly lastMs: number;
}

/** Reconnecting: at most 100 ms at first, at most 5 s later. */
export const reconnectLimits: BackoffLimits = { firstMs: 100, lastMs: 5_000 };

/** Delays that double, of which chance takes up to half: peers that failed together do not come back together. */
export class Backoff {
  readonly #random: Random;
  readonly #limits: BackoffLimits;
  #failureCount = 0;

  constructor(random: Random, limits: BackoffLimits = reconnectLimits) {
    this.#random = random;
    this.#limits = limits;
  }

  /** How long to wait after one more failure; a master that stands by is none, and bounds the delay. */
  nextMs(error?: MusterError): number {
    const lastMs = isStandby(error) ? Math.min(standbyRetryMs, this.#limits.lastMs) : this.#limits.lastMs;
    const longest = Math.min(this.#limits.firstMs * 2 ** Math.min(this.#failureCount, 30), lastMs);
    if (!isStandby(error)) this.#failureCount++;
    return Math.round(longest * (0.5 + this.#random.next() / 2));
  }

  /** To be called after a success. */
  reset(): void {
    this.#failureCount = 0;
  }
}

/** Which pull is at which digests: what one fetches or unpacks, another waits for. */
export class Claims {
  /** Who holds a digest, and when it will have let go of everything. */
  readonly #holders = new Map<string, Claim>();

  open(): Claim {
    return new Claim(this.#holders);
  }

  held(): ReadonlySet<string> {
    return new Set(this.#holders.keys());
  }
}

export class Claim {
  readonly #holders: Map<string, Claim>;
  readonly #mine = new Set<string>();
  #letGo: () => void = () => {};
  readonly released = new Promise<void>((resolve) => {
    this.#letGo = resolve;
  });

  constructor(holders: Map<string, Claim>) {
    this.#holders = holders;
  }

  /** Takes all of them at once, when nobody else has any. */
  async take(digests: readonly string[], signal: AbortSignal): Promise<void> {
    for (;;) {
      signal.throwIfAborted();
      const other = digests.map((digest) => this.#holders.get(digest)).find((claim) => claim && claim !== this);
      if (!other) break;
      await Promise.race([other.released, aborted(signal)]);
    }
    for (const digest of digests) {
      this.#mine.add(digest);
      this.#holders.set(digest, this);
    }
  }

  release(): void {
    for (const digest of this.#mine) this.#holders.delete(digest);
    this.#letGo();
  }
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    signal.addEventListener("abort", () => resolve(), { once: true });
  });
}

import type { Resources } from "@muster/foundation";

/** A sum that is added to in place: it changes with every offer, and is read seldom. */
export class Sum {
  #cpuMillis = 0;
  #memoryMiB = 0;
  #diskMiB = 0;
  #portCount = 0;
  readonly #custom = new Map<string, number>();

  add(amount: Resources, sign: 1 | -1): void {
    this.#cpuMillis += sign * amount.cpuMillis;
    this.#memoryMiB += sign * amount.memoryMiB;
    this.#diskMiB += sign * amount.diskMiB;
    this.#portCount += sign * amount.portCount;
    for (const name in amount.custom) {
      const sum = (this.#custom.get(name) ?? 0) + sign * (amount.custom[name] ?? 0);
      if (sum === 0) this.#custom.delete(name);
      else this.#custom.set(name, sum);
    }
  }

  /** A copy as it is now. */
  get value(): Resources {
    return {
      cpuMillis: this.#cpuMillis,
      memoryMiB: this.#memoryMiB,
      diskMiB: this.#diskMiB,
      portCount: this.#portCount,
      custom: Object.fromEntries(this.#custom),
    };
  }
}

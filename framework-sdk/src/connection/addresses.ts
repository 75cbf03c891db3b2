import { invalid } from "@muster/foundation";

/** Where masters listen if nobody says otherwise. */
export const masterAddressDefault = "127.0.0.1:5050";

/** The masters of a cluster: one is tried until it fails, then the next. */
export class Addresses {
  readonly #all: readonly string[];
  #at = 0;

  /** Throws `invalid` for an empty list. */
  constructor(address: string | readonly string[]) {
    this.#all = typeof address === "string" ? address.split(",").map((one) => one.trim()) : [...address];
    if (this.#all.length === 0 || this.#all.includes("")) throw invalid("address", "must name at least one master");
  }

  get current(): string {
    return this.#all[this.#at] ?? masterAddressDefault;
  }

  /** To be called after a failure. */
  next(): void {
    this.#at = (this.#at + 1) % this.#all.length;
  }
}

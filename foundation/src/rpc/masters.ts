import { invalid, type MusterError } from "../errors/muster-error.ts";

/** Who was sent away by a master that stands by asks again so soon: the answer costs it little, and the lead may move. */
export const standbyRetryMs = 500;

/** The masters of a cluster, of which one leads: one is used until it fails, then the one that it names, or the next. */
export class Masters {
  readonly #named: readonly string[];
  #at = 0;
  /** A leader that a master has named and nobody else. */
  #told: string | undefined;

  /** Of "host:port,host:port", or a list. @throws MusterError `invalid` for an empty one. */
  constructor(address: string | readonly string[]) {
    this.#named = typeof address === "string" ? address.split(",").map((one) => one.trim()) : [...address];
    if (this.#named.length === 0 || this.#named.includes("")) throw invalid("address", "must name at least one master");
  }

  get current(): string {
    return this.#told ?? this.#named[this.#at] ?? "";
  }

  /** To be called after a failure. A master that stands by may have said who leads. */
  next(error?: MusterError): void {
    const leader = isStandby(error) ? error?.leader : undefined;
    const known = leader === undefined ? -1 : this.#named.indexOf(leader);
    this.#told = known === -1 ? leader : undefined;
    if (known !== -1) this.#at = known;
    else if (leader === undefined) this.#at = (this.#at + 1) % this.#named.length;
  }
}

/** Whether a master has answered that it does not lead. */
export function isStandby(error: MusterError | undefined): boolean {
  return error?.kind === "not-leader";
}

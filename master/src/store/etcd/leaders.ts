import type { Cancel, Clock, Log } from "@muster/foundation";
import type { EtcdConnection } from "./connection.ts";
import { prefixEnd } from "./keys.ts";
import { watchPrefix } from "./watching.ts";
import { sortAscending, sortByCreation } from "./wire.ts";

/** Between two looks while etcd does not answer. */
const retryMs = 200;

export interface LeaderFacts {
  /** The key of the first candidate of those that live; undefined: there is none. */
  readonly key: string | undefined;
  readonly candidate: string | undefined;
}

/**
 * Who leads: of the candidates' keys the one that was made first. Looks again whenever one of them is gone. With a few
 * masters that is a few reads at each change; to watch the predecessor alone would save them, and leave unsaid who leads.
 */
export class Leaders {
  readonly #deps: { clock: Clock; connection: EtcdConnection; log: Log };
  readonly #prefix: string;
  readonly #told = new Set<(facts: LeaderFacts) => void>();
  #facts: LeaderFacts | undefined;
  #watch: Cancel | undefined;
  #retry: Cancel = () => {};
  #isLooking = false;
  #lookAgain = false;
  #isClosed = false;

  constructor(deps: { clock: Clock; connection: EtcdConnection; log: Log }, prefix: string) {
    this.#deps = deps;
    this.#prefix = prefix;
  }

  /** Tells what is known now, if anything is, and every change. */
  follow(told: (facts: LeaderFacts) => void): Cancel {
    this.#told.add(told);
    const known = this.#facts;
    if (known) this.#deps.clock.after(0, () => this.#told.has(told) && told(known));
    else this.look();
    return () => this.#told.delete(told);
  }

  look(): void {
    if (this.#isClosed) return;
    if (this.#isLooking) {
      this.#lookAgain = true;
      return;
    }
    this.#isLooking = true;
    this.#lookAgain = false;
    const { clock, connection } = this.#deps;
    const key = Buffer.from(this.#prefix);
    const request = { key, rangeEnd: prefixEnd(key), limit: 1, sortOrder: sortAscending, sortTarget: sortByCreation };
    connection.call("range", request, "again", (result) => {
      this.#isLooking = false;
      if (this.#isClosed) return;
      if (!result.ok) {
        this.#retry = clock.after(retryMs, () => this.look());
        return;
      }
      this.#watch ??= this.#watchFrom((result.value.header?.revision ?? 0) + 1);
      const [first] = result.value.kvs;
      this.#tell({ key: first?.key.toString(), candidate: first?.value.toString() });
      if (this.#lookAgain) this.look();
    });
  }

  close(): void {
    this.#isClosed = true;
    this.#watch?.();
    this.#retry();
    this.#told.clear();
  }

  #watchFrom(revision: number): Cancel {
    return watchPrefix(this.#deps, this.#prefix, revision, {
      changed: (changes) => {
        // Nobody leads, and somebody has come; or somebody has gone. Else the first is who it was.
        const isNews = this.#facts?.key === undefined || changes.some(({ isDelete }) => isDelete);
        if (isNews) this.look();
      },
      forgotten: () => {
        this.#watch = undefined;
        this.look();
      },
    });
  }

  #tell(facts: LeaderFacts): void {
    const before = this.#facts;
    this.#facts = facts;
    if (before?.key === facts.key && before?.candidate === facts.candidate) return;
    for (const told of [...this.#told]) told(facts);
  }
}

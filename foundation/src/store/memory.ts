import { MusterError, type Result } from "../errors/muster-error.ts";
import type { Cancel, Clock } from "../time/clock.ts";
import {
  type Store,
  type StoreChange,
  type StoreEntry,
  type StoreOutcome,
  type StoreTransaction,
  storeKeyBytesMax,
  storeTransactionBytesMax,
  storeValueBytesMax,
  storeWritesMax,
} from "./contract.ts";

/** What a store's data looks like to everyone who opens it: survives a `Store`, dies with the process. */
export interface MemoryStoreData {
  readonly entries: Map<string, StoreEntry>;
  epoch: number;
  leader: MemoryStore | undefined;
  candidate: string | undefined;
  readonly waiting: (() => void)[];
  readonly followers: Set<() => void>;
}

export function memoryStoreData(): MemoryStoreData {
  return {
    entries: new Map(),
    epoch: 0,
    leader: undefined,
    candidate: undefined,
    waiting: [],
    followers: new Set(),
  };
}

/** Faults that a test wants: called before each operation; a returned error fails it. */
export type StoreFault = (
  operation: "get" | "list" | "transact",
) => { delayMs?: number; error?: MusterError } | undefined;

/** Refuses what no store takes: the limits of the contract. */
export function checkTransaction({ compares, puts, deletes }: StoreTransaction): MusterError | undefined {
  if (puts.length + deletes.length > storeWritesMax)
    return new MusterError("too-many", `a transaction holds at most ${storeWritesMax} writes`);
  if (compares.length > storeWritesMax)
    return new MusterError("too-many", `a transaction holds at most ${storeWritesMax} compares`);
  for (const key of [...puts.map((put) => put.key), ...deletes, ...compares.map((compare) => compare.key)])
    if (key.length === 0 || new TextEncoder().encode(key).length > storeKeyBytesMax)
      return new MusterError("invalid", `a key has 1 to ${storeKeyBytesMax} bytes`, { field: "key" });
  for (const put of puts)
    if (put.value.length > storeValueBytesMax)
      return new MusterError("invalid", `a value has at most ${storeValueBytesMax} bytes`, { field: put.key });
  const bytes = puts.reduce((sum, { key, value }) => sum + key.length + value.length, 0);
  if (bytes > storeTransactionBytesMax)
    return new MusterError("too-many", `a transaction has at most ${storeTransactionBytesMax} bytes`);
  return undefined;
}

/** The store of tests and of the simulator. Lists in O(entries): it is small there. */
export class MemoryStore implements Store {
  readonly #clock: Clock;
  readonly #data: MemoryStoreData;
  readonly #fault: StoreFault;
  readonly #watchers = new Set<{ prefix: string; changed: (changes: readonly StoreChange[]) => void }>();
  #closed = false;
  #lost: ((error: MusterError) => void) | undefined;
  #hasCampaigned = false;

  constructor(clock: Clock, data: MemoryStoreData = memoryStoreData(), fault: StoreFault = () => undefined) {
    this.#clock = clock;
    this.#data = data;
    this.#fault = fault;
  }

  get(key: string, done: (result: Result<StoreEntry | undefined>) => void): void {
    this.#answer("get", done, () => ({ ok: true, value: this.#data.entries.get(key) }));
  }

  list(
    prefix: string,
    options: { readonly after?: string; readonly limit?: number },
    done: (result: Result<readonly StoreEntry[]>) => void,
  ): void {
    this.#answer("list", done, () => {
      const keys = [...this.#data.entries.keys()].filter(
        (key) => key.startsWith(prefix) && (options.after === undefined || key > options.after),
      );
      const value: StoreEntry[] = [];
      for (const key of keys.sort().slice(0, options.limit ?? keys.length)) {
        const entry = this.#data.entries.get(key);
        if (entry) value.push(entry);
      }
      return { ok: true, value };
    });
  }

  transact(transaction: StoreTransaction, done: (result: Result<StoreOutcome>) => void): void {
    this.#answer<StoreOutcome>("transact", done, () => {
      const error = checkTransaction(transaction) ?? this.#fence();
      if (error) return { ok: false, error };
      const conflicts = transaction.compares
        .map(({ key }) => ({ key, version: this.#data.entries.get(key)?.version ?? 0 }))
        .filter((now, index) => now.version !== transaction.compares[index]?.version);
      if (conflicts.length > 0) return { ok: true, value: { committed: false, conflicts } };
      return { ok: true, value: { committed: true, versions: this.#commit(transaction) } };
    });
  }

  watch(prefix: string, changed: (changes: readonly StoreChange[]) => void): Cancel {
    const watcher = { prefix, changed };
    this.#watchers.add(watcher);
    return () => this.#watchers.delete(watcher);
  }

  campaign(candidate: string, elected: (epoch: number) => void, lost: (error: MusterError) => void): Cancel {
    let cancelled = false;
    this.#hasCampaigned = true;
    const stand = (): void => {
      if (cancelled || this.#closed) return;
      if (this.#data.leader !== undefined) {
        this.#data.waiting.push(stand);
        return;
      }
      this.#lost = lost;
      this.#tellLeader(this, candidate);
      const epoch = ++this.#data.epoch;
      this.#clock.after(0, () => {
        if (!cancelled && !this.#closed) elected(epoch);
      });
    };
    stand();
    return () => {
      cancelled = true;
      this.#resign();
    };
  }

  leads(): boolean {
    return this.#data.leader === this;
  }

  leader(changed: (candidate: string | undefined) => void): Cancel {
    const tell = (): void => {
      this.#clock.after(0, () => {
        if (!this.#closed && this.#data.followers.has(tell)) changed(this.#data.candidate);
      });
    };
    this.#data.followers.add(tell);
    tell();
    return () => this.#data.followers.delete(tell);
  }

  close(done: () => void): void {
    this.#closed = true;
    this.#watchers.clear();
    this.#resign();
    this.#clock.after(0, done);
  }

  /** For tests: ends the reign of this store's leader, as a lost lease would. */
  depose(error: MusterError): void {
    const lost = this.#lost;
    this.#resign();
    lost?.(error);
  }

  /** For tests: as `depose`, but the leader does not learn of it before it asks, as one that was stopped for a while. */
  forget(): void {
    if (this.#data.leader !== this) return;
    this.#tellLeader(undefined, undefined);
    this.#data.waiting.shift()?.();
  }

  #resign(): void {
    if (this.#data.leader !== this) return;
    this.#lost = undefined;
    this.forget();
  }

  #tellLeader(leader: MemoryStore | undefined, candidate: string | undefined): void {
    this.#data.leader = leader;
    this.#data.candidate = candidate;
    for (const tell of [...this.#data.followers]) tell();
  }

  #fence(): MusterError | undefined {
    if (!this.#hasCampaigned || this.leads()) return undefined;
    const error = new MusterError("not-leader", "this master does not lead: nothing was written");
    const lost = this.#lost;
    this.#lost = undefined;
    if (lost) this.#clock.after(0, () => lost(error));
    return error;
  }

  #answer<T>(operation: "get" | "list" | "transact", done: (result: Result<T>) => void, work: () => Result<T>): void {
    if (this.#closed) {
      this.#clock.after(0, () => done({ ok: false, error: new MusterError("unavailable", "the store is closed") }));
      return;
    }
    const fault = this.#fault(operation);
    this.#clock.after(fault?.delayMs ?? 0, () => {
      if (this.#closed) return;
      done(fault?.error ? { ok: false, error: fault.error } : work());
    });
  }

  #commit({ puts, deletes }: StoreTransaction): number[] {
    const changes: StoreChange[] = [];
    const versions: number[] = [];
    for (const { key, value } of puts) {
      const version = (this.#data.entries.get(key)?.version ?? 0) + 1;
      const entry = { key, value: Uint8Array.from(value), version };
      this.#data.entries.set(key, entry);
      versions.push(version);
      changes.push({ type: "put", entry });
    }
    for (const key of deletes) if (this.#data.entries.delete(key)) changes.push({ type: "delete", key });
    for (const { prefix, changed } of [...this.#watchers]) {
      const seen = changes.filter((change) =>
        (change.type === "put" ? change.entry.key : change.key).startsWith(prefix),
      );
      if (seen.length > 0) this.#clock.after(0, () => changed(seen));
    }
    return versions;
  }
}

/** A store in memory. Stores over the same `data` see each other's writes. */
export function memoryStore(clock: Clock, data?: MemoryStoreData, fault?: StoreFault): MemoryStore {
  return new MemoryStore(clock, data, fault);
}

import {
  type Clock,
  type Log,
  MusterError,
  type Store,
  storeTransactionBytesMax,
  storeWritesMax,
} from "@muster/foundation";

/** How long to wait after the store has failed. */
const retryMs = 1_000;

interface Write {
  readonly key: string;
  readonly value: Uint8Array | undefined;
  readonly done: ((error: MusterError | undefined) => void) | undefined;
}

/**
 * Writes what the registry wants kept: what one tick wants goes as one transaction, one at a time, in order. A write
 * that somebody waits for fails when the store fails; the others are tried again, unless a newer one took their place.
 */
export class RegistryWriter {
  readonly #store: Store;
  readonly #clock: Clock;
  readonly #log: Log;
  #queue: Write[] = [];
  /** Writes that are to be tried again, by key. */
  readonly #failed = new Map<string, Write>();
  #busy = false;
  #stopped = false;

  constructor(store: Store, clock: Clock, log: Log) {
    this.#store = store;
    this.#clock = clock;
    this.#log = log;
  }

  add(key: string, value: Uint8Array | undefined, done: ((error: MusterError | undefined) => void) | undefined): void {
    this.#failed.delete(key);
    this.#queue.push({ key, value, done });
  }

  stop(): void {
    this.#stopped = true;
    this.#queue = [];
  }

  /** Called once a tick. */
  flush(): void {
    if (this.#busy || this.#stopped || this.#queue.length === 0) return;
    const batch = this.#queue.slice(0, this.#batchCount());
    this.#queue = this.#queue.slice(batch.length);
    const last = new Map<string, Uint8Array | undefined>();
    for (const { key, value } of batch) last.set(key, value);
    const puts: { key: string; value: Uint8Array }[] = [];
    const deletes: string[] = [];
    for (const [key, value] of last)
      if (value === undefined) deletes.push(key);
      else puts.push({ key, value });
    this.#busy = true;
    this.#store.transact({ compares: [], puts, deletes }, (result) => {
      this.#busy = false;
      if (this.#stopped) return;
      const error = result.ok ? undefined : MusterError.from(result.error);
      if (error) this.#retry(batch, error);
      for (const { done } of batch) done?.(error);
      this.flush();
    });
  }

  /** As many of the first as one transaction takes. */
  #batchCount(): number {
    let bytes = 0;
    const tooMany = this.#queue.findIndex(({ key, value }, index) => {
      bytes += key.length + (value?.length ?? 0);
      return index > 0 && (index >= storeWritesMax || bytes > storeTransactionBytesMax);
    });
    return tooMany === -1 ? this.#queue.length : tooMany;
  }

  #retry(batch: readonly Write[], error: MusterError): void {
    this.#log.warn({ error, writes: batch.length }, "the store does not take the registry's writes");
    const kept = batch.filter(({ key, done }) => !done && !this.#queue.some((newer) => newer.key === key));
    if (kept.length === 0) return;
    for (const write of kept) this.#failed.set(write.key, write);
    this.#clock.after(retryMs, () => {
      for (const write of kept) if (this.#failed.get(write.key) === write) this.add(write.key, write.value, undefined);
      this.flush();
    });
  }
}

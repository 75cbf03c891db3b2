import type { MusterError, Result } from "../errors/muster-error.ts";
import type { Cancel } from "../time/clock.ts";

/** An entry as it is now. */
export interface StoreEntry {
  readonly key: string;
  readonly value: Uint8Array;
  /** Grows with every change of this entry, from 1. */
  readonly version: number;
}

/** The version that an entry must have; 0: it must not exist. */
export interface StoreCompare {
  readonly key: string;
  readonly version: number;
}

/** All of it or nothing. A key may be written once. At most `storeWritesMax` writes and as many compares. */
export interface StoreTransaction {
  readonly compares: readonly StoreCompare[];
  readonly puts: readonly { readonly key: string; readonly value: Uint8Array }[];
  readonly deletes: readonly string[];
}

/** Either everything was written (versions in the order of `puts`), or what did not compare is told as it is. */
export type StoreOutcome =
  | { readonly committed: true; readonly versions: readonly number[] }
  | { readonly committed: false; readonly conflicts: readonly StoreCompare[] };

/** One change of one entry, in the order in which they were committed. */
export type StoreChange =
  | { readonly type: "put"; readonly entry: StoreEntry }
  | { readonly type: "delete"; readonly key: string };

export const storeWritesMax = 512;
/** Bytes of a key. */
export const storeKeyBytesMax = 1_024;
/** Bytes of a value. */
export const storeValueBytesMax = 1024 * 1024;
/** Bytes of all keys and values of a transaction: the largest message that asks for one, and what is put before its keys. */
export const storeTransactionBytesMax = 5 * 1024 * 1024;

/**
 * What must outlive a master. Keys are paths such as "agents/a-1"; order is by their bytes.
 *
 * Answers come by callback, never before the call has returned, and never through a promise: the simulator decides when.
 * A transaction's answer comes after it is durable. An error of kind `unavailable` leaves open whether it was done.
 */
export interface Store {
  get(key: string, done: (result: Result<StoreEntry | undefined>) => void): void;
  /** Entries whose keys begin with `prefix`, in order, after `after`, at most `limit`. */
  list(
    prefix: string,
    options: { readonly after?: string; readonly limit?: number },
    done: (result: Result<readonly StoreEntry[]>) => void,
  ): void;
  transact(transaction: StoreTransaction, done: (result: Result<StoreOutcome>) => void): void;
  /** Every change below `prefix` from now on, in order. */
  watch(prefix: string, changed: (changes: readonly StoreChange[]) => void): Cancel;
  /**
   * Asks to lead. `elected` is called once with the epoch of the new reign, which is higher than every one before and
   * durable; `lost` is called once when the right to lead has ended, after which no transaction of this reign commits.
   * A store that has campaigned writes only while it leads; before and after it answers `not-leader`.
   */
  campaign(candidate: string, elected: (epoch: number) => void, lost: (error: MusterError) => void): Cancel;
  /**
   * Whether this store's candidate leads beyond doubt, by the local clock. O(1): to be asked before each batch of
   * effects, for whoever was stopped for a while finds out by nothing else in time.
   */
  leads(): boolean;
  /** Who leads, as its candidate's name: told soon after the call if it is known, and at each change. */
  leader(changed: (candidate: string | undefined) => void): Cancel;
  /** Waits for what was asked for, then lets go of files and locks. */
  close(done: () => void): void;
}

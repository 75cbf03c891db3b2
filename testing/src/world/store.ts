import {
  type Cancel,
  type MemoryStoreData,
  MusterError,
  memoryStore,
  type Random,
  type Result,
  type Store,
  type StoreChange,
  type StoreEntry,
  type StoreOutcome,
  type StoreTransaction,
} from "@muster/foundation";
import type { Life } from "./life.ts";
import type { World } from "./world.ts";

/** What goes wrong in a store by chance. Rates are probabilities per operation, 0 to 1. */
export interface StoreFaults {
  /** The operation is not done, and the caller is told that it is unavailable. */
  refuseRate: number;
  /** The transaction is done, and the caller is told that the store is unavailable. */
  answerLostRate: number;
  /** An operation takes up to `delayMsMax` longer. */
  slowRate: number;
  delayMsMax: number;
}

export const calmStore: Readonly<StoreFaults> = { refuseRate: 0, answerLostRate: 0, slowRate: 0, delayMsMax: 0 };

export type StoreFaultName = "store-refused" | "store-answer-lost" | "store-slow";

/** Settings of one store, changed at will while the world runs. */
export interface StoreGround {
  readonly data: MemoryStoreData;
  faults: StoreFaults;
  onFault: (fault: StoreFaultName) => void;
}

/** The store as one life of a master opens it: what it had asked for dies with it, what was committed stays. */
export function storeOf(world: World, life: Life, ground: StoreGround, random: Random): Store {
  const clock = world.clockOf(life);
  const inner = memoryStore(clock, ground.data);
  world.onEnd(life, () => inner.close(() => {}));
  const delayMs = (): number => {
    const usualMs = 0.2 + random.next() * 0.8;
    if (random.next() >= ground.faults.slowRate) return usualMs;
    ground.onFault("store-slow");
    return usualMs + random.next() * ground.faults.delayMsMax;
  };
  const asked = <T>(done: (result: Result<T>) => void, ask: (done: (result: Result<T>) => void) => void): void => {
    const isRefused = random.next() < ground.faults.refuseRate;
    if (isRefused) ground.onFault("store-refused");
    world.after(life, delayMs(), "store", () => {
      if (isRefused) done({ ok: false, error: new MusterError("unavailable", "the store does not answer") });
      else ask(done);
    });
  };
  return {
    get: (key, done) => asked<StoreEntry | undefined>(done, (told) => inner.get(key, told)),
    list: (prefix, options, done) => asked<readonly StoreEntry[]>(done, (told) => inner.list(prefix, options, told)),
    transact: (transaction: StoreTransaction, done) =>
      asked<StoreOutcome>(done, (told) =>
        inner.transact(transaction, (result) => {
          const isLost = random.next() < ground.faults.answerLostRate;
          if (isLost) ground.onFault("store-answer-lost");
          // The answer is a moment of its own: a master may die between what is durable and what it knows.
          world.after(life, delayMs(), "store-answer", () =>
            told(isLost ? { ok: false, error: new MusterError("unavailable", "the answer was lost") } : result),
          );
        }),
      ),
    watch: (prefix, changed: (changes: readonly StoreChange[]) => void): Cancel => inner.watch(prefix, changed),
    campaign: (candidate, elected, lost) => inner.campaign(candidate, elected, lost),
    leads: () => inner.leads(),
    leader: (changed) => inner.leader(changed),
    close: (done) => inner.close(done),
  };
}

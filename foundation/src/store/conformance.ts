import type { Result } from "../errors/muster-error.ts";
import {
  type Store,
  type StoreChange,
  type StoreEntry,
  type StoreOutcome,
  type StoreTransaction,
  storeTransactionBytesMax,
  storeValueBytesMax,
  storeWritesMax,
} from "./contract.ts";

/** One thing that a store must do. `open` gives a new view of the same data each time it is called. */
export interface StoreCase {
  readonly name: string;
  run(open: () => Promise<Store>): Promise<void>;
}

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const text = (value: Uint8Array): string => new TextDecoder().decode(value);

function must(holds: boolean, claim: string): void {
  if (!holds) throw new Error(`a store must: ${claim}`);
}

function value<T>(result: Result<T>): T {
  if (!result.ok) throw result.error;
  return result.value;
}

const get = (store: Store, key: string): Promise<StoreEntry | undefined> =>
  new Promise((done, failed) => store.get(key, (result) => (result.ok ? done(result.value) : failed(result.error))));

const list = (
  store: Store,
  prefix: string,
  options: { after?: string; limit?: number } = {},
): Promise<readonly StoreEntry[]> =>
  new Promise((done) => store.list(prefix, options, (result) => done(value(result))));

const transact = (store: Store, transaction: Partial<StoreTransaction>): Promise<Result<StoreOutcome>> =>
  new Promise((done) => store.transact({ compares: [], puts: [], deletes: [], ...transaction }, done));

const close = (store: Store): Promise<void> => new Promise((done) => store.close(done));

const elected = (store: Store): Promise<number> =>
  new Promise((done, failed) => {
    store.campaign("candidate", done, failed);
  });

/** Real stores tell what happens when they come to it: waited for so long. */
const patienceMs = 10_000;

async function until(holds: () => boolean, claim: string): Promise<void> {
  const endMs = performance.now() + patienceMs;
  while (!holds()) {
    must(performance.now() < endMs, claim);
    await new Promise((wait) => setTimeout(wait, 5));
  }
}

/** The suite that the memory store, lmdb, etcd and every later adapter must pass. */
export const storeConformance: readonly StoreCase[] = [
  {
    name: "give back what was put, with versions that count from 1",
    async run(open) {
      const store = await open();
      must((await get(store, "a")) === undefined, "answer undefined for a key that is not there");
      const first = value(await transact(store, { puts: [{ key: "a", value: bytes("1") }] }));
      must(first.committed && first.versions[0] === 1, "count versions from 1");
      const second = value(await transact(store, { puts: [{ key: "a", value: bytes("2") }] }));
      must(second.committed && second.versions[0] === 2, "count versions up");
      const entry = await get(store, "a");
      must(entry !== undefined && text(entry.value) === "2" && entry.version === 2, "give back the last value");
      await close(store);
    },
  },
  {
    name: "list in order of keys, below the prefix, after a key, up to a limit",
    async run(open) {
      const store = await open();
      const puts = ["b/2", "a/1", "b/1", "b/3", "c"].map((key) => ({ key, value: bytes(key) }));
      await transact(store, { puts });
      const keys = (entries: readonly StoreEntry[]): string => entries.map((entry) => entry.key).join(" ");
      must(keys(await list(store, "b/")) === "b/1 b/2 b/3", "list below the prefix in order");
      must(keys(await list(store, "")) === "a/1 b/1 b/2 b/3 c", "list everything below the empty prefix");
      must(keys(await list(store, "b/", { after: "b/1", limit: 1 })) === "b/2", "list after a key, up to a limit");
      await close(store);
    },
  },
  {
    name: "do all of a transaction or nothing",
    async run(open) {
      const store = await open();
      await transact(store, { puts: [{ key: "a", value: bytes("1") }] });
      const refused = value(
        await transact(store, {
          compares: [
            { key: "a", version: 1 },
            { key: "b", version: 7 },
          ],
          puts: [{ key: "c", value: bytes("3") }],
          deletes: ["a"],
        }),
      );
      must(!refused.committed, "refuse when one version differs");
      must(!refused.committed && refused.conflicts.length === 1 && refused.conflicts[0]?.key === "b", "name conflicts");
      must(
        (await get(store, "c")) === undefined && (await get(store, "a")) !== undefined,
        "change nothing when refused",
      );
      const done = value(
        await transact(store, {
          compares: [
            { key: "a", version: 1 },
            { key: "b", version: 0 },
          ],
          puts: [{ key: "b", value: bytes("2") }],
          deletes: ["a"],
        }),
      );
      must(done.committed, "commit when all versions are right; 0 means absent");
      must((await get(store, "a")) === undefined && (await get(store, "b")) !== undefined, "apply puts and deletes");
      await close(store);
    },
  },
  {
    name: "refuse keys, values and transactions beyond the limits",
    async run(open) {
      const store = await open();
      const long = await transact(store, { puts: [{ key: "k".repeat(1_025), value: bytes("") }] });
      must(!long.ok && long.error.kind === "invalid", "refuse a long key");
      const many = Array.from({ length: 513 }, (_, index) => ({ key: `k${index}`, value: bytes("") }));
      const tooMany = await transact(store, { puts: many });
      must(!tooMany.ok && tooMany.error.kind === "too-many", "refuse too many writes");
      const heavy = Array.from({ length: storeTransactionBytesMax / storeValueBytesMax }, (_, index) => ({
        key: `k${index}`,
        value: new Uint8Array(storeValueBytesMax),
      }));
      const tooHeavy = await transact(store, { puts: heavy });
      must(!tooHeavy.ok && tooHeavy.error.kind === "too-many", "refuse too many bytes");
      must((await list(store, "")).length === 0, "write nothing of what it refuses");
      await close(store);
    },
  },
  {
    name: "do a transaction that is as large as the limits let it be, and list what it wrote",
    async run(open) {
      const store = await open();
      const each = Math.floor(storeTransactionBytesMax / storeWritesMax) - 16;
      const puts = Array.from({ length: storeWritesMax }, (_, index) => ({
        key: `large/${String(index).padStart(4, "0")}`,
        value: new Uint8Array(each),
      }));
      const compares = puts.map(({ key }) => ({ key, version: 0 }));
      const done = value(await transact(store, { compares, puts }));
      must(done.committed && done.versions.every((version) => version === 1), "write all of it");
      const all = await list(store, "large/");
      must(
        all.length === storeWritesMax && all.every((entry, index) => entry.key === puts[index]?.key),
        "list all of it",
      );
      const some = await list(store, "large/", { after: "large/0099", limit: 200 });
      must(some.length === 200 && some[0]?.key === "large/0100", "list a page that is larger than the store's own");
      const again = value(await transact(store, { compares, puts }));
      must(!again.committed && again.conflicts.length === storeWritesMax, "name every conflict");
      await close(store);
    },
  },
  {
    name: "tell watchers every change below their prefix, in order",
    async run(open) {
      const store = await open();
      const seen: string[] = [];
      const stop = store.watch("w/", (changes: readonly StoreChange[]) => {
        for (const change of changes)
          seen.push(
            change.type === "put" ? `put ${change.entry.key}=${text(change.entry.value)}` : `del ${change.key}`,
          );
      });
      await transact(store, { puts: [{ key: "w/1", value: bytes("x") }] });
      await transact(store, { puts: [{ key: "other", value: bytes("x") }] });
      await transact(store, { deletes: ["w/1"] });
      await until(() => seen.length >= 2, `tell of every change: ${seen.join(", ")}`);
      stop();
      await transact(store, { puts: [{ key: "w/2", value: bytes("x") }] });
      await new Promise((wait) => setTimeout(wait, 20));
      must(
        seen.join(", ") === "put w/1=x, del w/1",
        `tell changes in order, and none after the end: ${seen.join(", ")}`,
      );
      await close(store);
    },
  },
  {
    name: "keep data and epochs over closing and opening",
    async run(open) {
      const first = await open();
      const epoch = await elected(first);
      must(epoch >= 1, "begin epochs at 1");
      await transact(first, { puts: [{ key: "kept", value: bytes("yes") }] });
      await close(first);
      const second = await open();
      const entry = await get(second, "kept");
      must(entry !== undefined && text(entry.value) === "yes" && entry.version === 1, "keep entries and versions");
      must((await elected(second)) > epoch, "elect with a higher epoch each time");
      await close(second);
    },
  },
  {
    name: "answer after the call has returned, and as closed after its end",
    async run(open) {
      const store = await open();
      let early = true;
      await new Promise<void>((done) => {
        store.get("a", () => {
          must(!early, "answer after the call has returned");
          done();
        });
        early = false;
      });
      await close(store);
      const late = await transact(store, { puts: [{ key: "a", value: bytes("") }] });
      must(!late.ok && late.error.kind === "unavailable", "refuse after its end");
    },
  },
];

/** A candidate of an election: what it was told. */
interface Candidate {
  readonly store: Store;
  readonly epochs: number[];
  readonly losses: string[];
  readonly resign: () => void;
}

function stand(store: Store, name: string): Candidate {
  const epochs: number[] = [];
  const losses: string[] = [];
  const resign = store.campaign(
    name,
    (epoch) => epochs.push(epoch),
    (error) => losses.push(error.message),
  );
  return { store, epochs, losses, resign };
}

const put = (store: Store, key: string, content: string): Promise<Result<StoreOutcome>> =>
  transact(store, { puts: [{ key, value: bytes(content) }] });

/** What a store that several masters share must do beyond that. */
export const electionConformance: readonly StoreCase[] = [
  {
    name: "let one candidate lead at a time, and the next one when it resigns",
    async run(open) {
      const first = stand(await open(), "first");
      await until(() => first.epochs.length === 1, "elect whoever stands alone");
      const second = stand(await open(), "second");
      await new Promise((wait) => setTimeout(wait, 50));
      must(second.epochs.length === 0 && first.store.leads() && !second.store.leads(), "let one lead alone");
      first.resign();
      await until(() => second.epochs.length === 1, "elect the next one");
      must((second.epochs[0] ?? 0) > (first.epochs[0] ?? 0), "raise the epoch");
      must(!first.store.leads() && second.store.leads(), "say who leads");
      await close(first.store);
      await close(second.store);
    },
  },
  {
    name: "let nobody write but who leads, of those who have stood for election",
    async run(open) {
      const first = stand(await open(), "first");
      await until(() => first.epochs.length === 1, "elect whoever stands alone");
      const second = stand(await open(), "second");
      const early = await put(second.store, "who", "second");
      must(!early.ok && early.error.kind === "not-leader", "refuse who waits");
      must((await put(first.store, "who", "first")).ok, "take the leader's word");
      first.resign();
      await until(() => second.epochs.length === 1, "elect the next one");
      must((await put(second.store, "who", "second")).ok, "take the next leader's word");
      const late = await put(first.store, "who", "first");
      must(!late.ok && late.error.kind === "not-leader", "refuse who has led");
      const entry = await get(second.store, "who");
      must(entry !== undefined && text(entry.value) === "second", "keep what the leader wrote");
      await close(first.store);
      await close(second.store);
    },
  },
  {
    name: "tell everybody who leads, and each change",
    async run(open) {
      const heard: (string | undefined)[] = [];
      const watching = await open();
      const stop = watching.leader((candidate) => heard.push(candidate));
      const first = stand(await open(), "first:1");
      await until(() => heard.at(-1) === "first:1", "tell who leads");
      const second = stand(await open(), "second:2");
      await close(first.store);
      await until(() => heard.at(-1) === "second:2", "tell who leads next, when a leader's store is closed");
      stop();
      const count = heard.length;
      await close(second.store);
      await new Promise((wait) => setTimeout(wait, 20));
      must(heard.length === count, "tell nothing after the end");
      await close(watching);
    },
  },
];

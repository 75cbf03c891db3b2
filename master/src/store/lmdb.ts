import { randomUUID } from "node:crypto";
import { appendFileSync, closeSync, existsSync, mkdirSync, openSync, readSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";
import { crc32 } from "node:zlib";
import {
  type Cancel,
  type Clock,
  checkTransaction,
  countStart,
  MusterError,
  type Result,
  type Store,
  type StoreChange,
  type StoreEntry,
  type StoreOutcome,
  type StoreTransaction,
} from "@muster/foundation";
import { type Database, open, type RootDatabase } from "lmdb";

/** Bytes that the database's file may grow to. The file itself only has what was written. */
const mapBytesMax = 4 * 1024 * 1024 * 1024;
/** Version, then a checksum, before each value. */
const versionBytes = 8;
const headBytes = versionBytes + 4;
/** What lmdb writes into its two first pages, at this offset; it crashes on a file that lacks it. */
const magic = 0xbeefc0de;
const magicOffsets = [24, 4_096 + 24];
/** One death while reading may be anybody's SIGKILL; a second in a row is the data's doing. */
const openingDeathsMax = 2;

/**
 * One master's store: a folder with an lmdb database. The caller holds the folder's lock; the epoch counts its openings
 * as a leader and is durable before the reign begins.
 *
 * A transaction is durable when it is answered. Costs 0.4 ms a commit, shared by all that are asked for meanwhile.
 */
export function lmdbStore(options: { folder: string; clock: Clock }): Store {
  return new LmdbStore(options.folder, options.clock);
}

/** How many processes in a row have died while opening: one byte each. */
function deathsTold(marker: string): number {
  return statSync(marker, { throwIfNoEntry: false })?.size ?? 0;
}

/** @throws MusterError if the folder can't be used or its data is damaged: it is never removed or made anew. */
function openDatabase(folder: string): { root: RootDatabase; entries: Database<Buffer, string>; meta: Database } {
  const file = join(folder, "store.lmdb");
  const marker = join(folder, "opening");
  try {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    if (deathsTold(marker) >= openingDeathsMax)
      throw new Error("the processes that opened it last died while reading it");
    checkMagic(file);
    // lmdb trusts its pages: reading damaged ones can end the process. The marker tells the next starts of that.
    appendFileSync(marker, "x");
    const root = open({ path: file, mapSize: mapBytesMax, maxDbs: 4, overlappingSync: false });
    const entries = root.openDB<Buffer, string>({ name: "entries", encoding: "binary", keyEncoding: "ordered-binary" });
    const meta = root.openDB({ name: "meta", encoding: "json" });
    for (const { key, value } of entries.getRange({})) decode(key, value);
    rmSync(marker);
    return { root, entries, meta };
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    if (deathsTold(marker) < openingDeathsMax) rmSync(marker, { force: true });
    throw new MusterError(
      "unavailable",
      `can't open the store in ${folder}: ${reason}. Its data is left as it is: move the folder away to start anew, or put back a copy of it`,
      { cause: error },
    );
  }
}

function checkMagic(file: string): void {
  if (!existsSync(file)) return;
  const descriptor = openSync(file, "r");
  try {
    const bytes = Buffer.alloc(4);
    const isMagic = (offset: number): boolean =>
      readSync(descriptor, bytes, 0, 4, offset) === 4 && bytes.readUInt32LE(0) === magic;
    if (readSync(descriptor, bytes, 0, 4, 0) > 0 && !magicOffsets.some(isMagic))
      throw new Error(`${file} is damaged: it is not an lmdb file`);
  } finally {
    closeSync(descriptor);
  }
}

function decode(key: string, stored: Buffer): StoreEntry {
  const value = Uint8Array.prototype.slice.call(stored, headBytes);
  if (stored.length < headBytes || crc32(value) !== stored.readUInt32BE(versionBytes))
    throw new Error(`the entry "${key}" is damaged: its checksum differs`);
  return { key, version: Number(stored.readBigUInt64BE(0)), value };
}

function encode(version: number, value: Uint8Array): Buffer {
  const stored = Buffer.allocUnsafe(headBytes + value.length);
  stored.writeBigUInt64BE(BigInt(version), 0);
  stored.writeUInt32BE(crc32(value), versionBytes);
  stored.set(value, headBytes);
  return stored;
}

class LmdbStore implements Store {
  readonly #clock: Clock;
  readonly #root: RootDatabase;
  readonly #entries: Database<Buffer, string>;
  readonly #meta: Database;
  readonly #watchers = new Set<{ prefix: string; changed: (changes: readonly StoreChange[]) => void }>();
  #closed = false;
  #failure: MusterError | undefined;
  #lost: ((error: MusterError) => void) | undefined;
  #hasCampaigned = false;
  #isLeading = false;
  readonly #followers = new Set<(candidate: string | undefined) => void>();
  #candidate: string | undefined;
  #underway = 0;
  #idle: (() => void) | undefined;

  constructor(folder: string, clock: Clock) {
    this.#clock = clock;
    const { root, entries, meta } = openDatabase(folder);
    this.#root = root;
    this.#entries = entries;
    this.#meta = meta;
  }

  get(key: string, done: (result: Result<StoreEntry | undefined>) => void): void {
    this.#read(done, () => {
      const stored = this.#entries.get(key);
      return stored === undefined ? undefined : decode(key, stored);
    });
  }

  list(
    prefix: string,
    options: { readonly after?: string; readonly limit?: number },
    done: (result: Result<readonly StoreEntry[]>) => void,
  ): void {
    this.#read(done, () => {
      const start = options.after !== undefined && options.after > prefix ? options.after : prefix;
      const found: StoreEntry[] = [];
      for (const { key, value } of this.#entries.getRange({ start })) {
        if (!key.startsWith(prefix)) {
          if (key > prefix) break;
          continue;
        }
        if (options.after !== undefined && key <= options.after) continue;
        if (options.limit !== undefined && found.length >= options.limit) break;
        found.push(decode(key, value));
      }
      return found;
    });
  }

  transact(transaction: StoreTransaction, done: (result: Result<StoreOutcome>) => void): void {
    const refused = this.#unusable() ?? checkTransaction(transaction) ?? this.#fence();
    if (refused) {
      this.#clock.after(0, () => done({ ok: false, error: refused }));
      return;
    }
    const changes: StoreChange[] = [];
    this.#settle(
      this.#root.transaction(() => this.#apply(transaction, changes)),
      (result) => {
        done(result);
        if (result.ok && result.value.committed) this.#tellWatchers(changes);
      },
    );
  }

  watch(prefix: string, changed: (changes: readonly StoreChange[]) => void): Cancel {
    const watcher = { prefix, changed };
    this.#watchers.add(watcher);
    return () => this.#watchers.delete(watcher);
  }

  /** Alone in its folder: whoever asks leads. */
  campaign(candidate: string, elected: (epoch: number) => void, lost: (error: MusterError) => void): Cancel {
    let cancelled = false;
    this.#hasCampaigned = true;
    this.#lost = lost;
    const raise = (): number => {
      const epoch = countStart(Number((this.#meta.get("epoch") as number | undefined) ?? 0), this.#clock.epochMs());
      void this.#meta.put("epoch", epoch);
      void this.#meta.put("leader", { candidate, id: randomUUID() });
      return epoch;
    };
    this.#settle(this.#root.transaction(raise), (result) => {
      if (cancelled) return;
      if (!result.ok) return lost(result.error);
      this.#lead(candidate);
      elected(result.value);
    });
    return () => {
      cancelled = true;
      this.#lost = undefined;
      this.#lead(undefined);
    };
  }

  leads(): boolean {
    return this.#isLeading && this.#failure === undefined;
  }

  leader(changed: (candidate: string | undefined) => void): Cancel {
    this.#followers.add(changed);
    this.#clock.after(0, () => this.#followers.has(changed) && changed(this.#candidate));
    return () => this.#followers.delete(changed);
  }

  close(done: () => void): void {
    this.#closed = true;
    this.#watchers.clear();
    this.#followers.clear();
    const finish = (): void => {
      this.#root.close().then(done, done);
    };
    if (this.#underway === 0) finish();
    else this.#idle = finish;
  }

  #fence(): MusterError | undefined {
    if (!this.#hasCampaigned || this.#isLeading) return undefined;
    return new MusterError("not-leader", "this master does not lead: nothing was written");
  }

  #lead(candidate: string | undefined): void {
    this.#isLeading = candidate !== undefined;
    this.#candidate = candidate;
    for (const changed of [...this.#followers]) changed(candidate);
  }

  #apply({ compares, puts, deletes }: StoreTransaction, changes: StoreChange[]): StoreOutcome {
    const versionOf = (key: string): number => {
      const stored = this.#entries.get(key);
      return stored === undefined ? 0 : Number(stored.readBigUInt64BE(0));
    };
    const conflicts = compares
      .map(({ key }) => ({ key, version: versionOf(key) }))
      .filter((now, index) => now.version !== compares[index]?.version);
    if (conflicts.length > 0) return { committed: false, conflicts };
    const versions = puts.map(({ key, value }) => {
      const version = versionOf(key) + 1;
      void this.#entries.put(key, encode(version, value));
      changes.push({ type: "put", entry: { key, value: Uint8Array.from(value), version } });
      return version;
    });
    for (const key of deletes) {
      if (versionOf(key) === 0) continue;
      void this.#entries.remove(key);
      changes.push({ type: "delete", key });
    }
    return { committed: true, versions };
  }

  #read<T>(done: (result: Result<T>) => void, work: () => T): void {
    const error = this.#closed ? this.#unusable() : undefined;
    this.#clock.after(0, () => {
      if (error) {
        done({ ok: false, error });
        return;
      }
      let result: Result<T>;
      try {
        result = { ok: true, value: work() };
      } catch (thrown) {
        result = { ok: false, error: this.#failed(thrown) };
      }
      done(result);
    });
  }

  /** The one place where lmdb's promises are turned into answers. Waits until the commit is on the disk. */
  #settle<T>(promise: Promise<T>, done: (result: Result<T>) => void): void {
    this.#underway++;
    const answer = (result: Result<T>): void => {
      // Not inside the promise's own callback: what `done` throws must not be swallowed.
      this.#clock.after(0, () => {
        this.#underway--;
        done(result);
        if (this.#underway === 0) this.#idle?.();
      });
    };
    promise.then(
      (value) =>
        this.#root.flushed.then(
          () => answer({ ok: true, value }),
          (error: unknown) => answer({ ok: false, error: this.#failed(error) }),
        ),
      (error: unknown) => answer({ ok: false, error: this.#failed(error) }),
    );
  }

  #tellWatchers(changes: readonly StoreChange[]): void {
    for (const { prefix, changed } of [...this.#watchers]) {
      const seen = changes.filter((change) =>
        (change.type === "put" ? change.entry.key : change.key).startsWith(prefix),
      );
      if (seen.length > 0) changed(seen);
    }
  }

  #unusable(): MusterError | undefined {
    if (this.#closed) return new MusterError("unavailable", "the store is closed");
    return this.#failure;
  }

  /** A disk that is full may be emptied; any other failure of a write ends the reign, for nobody knows what is on disk. */
  #failed(thrown: unknown): MusterError {
    const reason = thrown instanceof Error ? thrown.message : String(thrown);
    const isFull = /ENOSPC|No space|MDB_MAP_FULL|disk quota/i.test(reason);
    const error = new MusterError(
      "unavailable",
      isFull ? `the store's disk is full: make room, then try again (${reason})` : `the store failed: ${reason}`,
      { cause: thrown },
    );
    if (!isFull && !this.#failure) {
      this.#failure = error;
      this.#lost?.(error);
    }
    return error;
  }
}

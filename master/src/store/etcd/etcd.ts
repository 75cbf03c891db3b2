import {
  type Cancel,
  type Clock,
  checkTransaction,
  type Log,
  MusterError,
  type Random,
  type Result,
  type Store,
  type StoreChange,
  type StoreEntry,
  type StoreOutcome,
  type StoreTransaction,
} from "@muster/foundation";
import { EtcdConnection, isRefusal } from "./connection.ts";
import { watchEntries } from "./entry-watch.ts";
import { type Layout, layoutOf } from "./keys.ts";
import { Leaders } from "./leaders.ts";
import { listPrefix } from "./listing.ts";
import { Reign } from "./reign.ts";
import type { EtcdSettings } from "./settings.ts";
import { type Compare, compareEqual, compareTarget, type KeyValue, type RequestOp, type TxnResponse } from "./wire.ts";

/** A write that another touch of our own key has overtaken is made again; more often than this is no chance. */
const overtakenMax = 10;
/** A transaction may take so long: it is written to the disks of most members. */
const transactTimeoutMs = 3_000;

/** What happens when a store is told to end: what it had not been answered yet is waited for so long. */
const closeMsMax = 2_000;

/**
 * The store of several masters. Whoever has campaigned writes only while it leads, each write on condition that etcd
 * still has its key; a store that never campaigns writes unconditionally, which is for tools and tests.
 *
 * A transaction is durable on most members when it is answered: one round trip and one write to their disks.
 */
export function etcdStore(deps: { clock: Clock; random: Random; log: Log }, settings: EtcdSettings): Store {
  return new EtcdStore(deps, settings);
}

class EtcdStore implements Store {
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #log: Log;
  readonly #settings: EtcdSettings;
  readonly #layout: Layout;
  readonly #connection: EtcdConnection;
  readonly #leaders: Leaders;
  readonly #cancels = new Set<Cancel>();
  #reign: Reign | undefined;
  #isClosed = false;
  #underway = 0;
  #idle: (() => void) | undefined;
  /** Writes that wait until a watch knows from where it watches. */
  #beginnings = 0;
  #afterBeginnings: (() => void)[] = [];

  constructor(deps: { clock: Clock; random: Random; log: Log }, settings: EtcdSettings) {
    this.#clock = deps.clock;
    this.#random = deps.random;
    this.#log = deps.log;
    this.#settings = settings;
    this.#layout = layoutOf(settings.root);
    this.#connection = new EtcdConnection(deps.clock, settings);
    this.#leaders = new Leaders({ ...deps, connection: this.#connection }, this.#layout.leaders);
  }

  get(key: string, done: (result: Result<StoreEntry | undefined>) => void): void {
    this.#asked(done, (settle) =>
      this.#connection.call("range", { key: this.#keyOf(key) }, "again", (result) => {
        if (!result.ok) return settle({ ok: false, error: result.error });
        const [found] = result.value.kvs;
        settle({ ok: true, value: found && this.#entryOf(found) });
      }),
    );
  }

  /** Pages of one call are of one moment. */
  list(
    prefix: string,
    options: { readonly after?: string; readonly limit?: number },
    done: (result: Result<readonly StoreEntry[]>) => void,
  ): void {
    this.#asked(done, (settle) => {
      const { after, limit } = options;
      const request = {
        prefix: this.#keyOf(prefix),
        after: after === undefined ? undefined : this.#keyOf(after),
        limit,
      };
      listPrefix(this.#connection, request, (result) =>
        settle(result.ok ? { ok: true, value: result.value.kvs.map((kv) => this.#entryOf(kv)) } : result),
      );
    });
  }

  transact(transaction: StoreTransaction, done: (result: Result<StoreOutcome>) => void): void {
    const refused = checkTransaction(transaction);
    this.#asked(done, (settle) => {
      if (refused) return settle({ ok: false, error: refused });
      const send = (): void => this.#send(transaction, 0, settle);
      if (this.#beginnings > 0) this.#afterBeginnings.push(send);
      else send();
    });
  }

  watch(prefix: string, changed: (changes: readonly StoreChange[]) => void): Cancel {
    let isOver = false;
    let cancel: Cancel = () => {};
    const begin = (): void => {
      if (!isOver && !this.#isClosed) cancel = this.#watchFrom(prefix, this.#connection.revision + 1, changed);
    };
    if (this.#connection.revision > 0) begin();
    else {
      this.#beginnings++;
      this.#connection.call("range", { key: this.#keyOf(prefix), countOnly: true }, "again", () => {
        begin();
        if (--this.#beginnings > 0) return;
        for (const send of this.#afterBeginnings.splice(0)) send();
      });
    }
    const end = (): void => {
      isOver = true;
      cancel();
      this.#cancels.delete(end);
    };
    this.#cancels.add(end);
    return end;
  }

  campaign(candidate: string, elected: (epoch: number) => void, lost: (error: MusterError) => void): Cancel {
    const reign = new Reign(
      {
        clock: this.#clock,
        random: this.#random,
        connection: this.#connection,
        log: this.#log,
        layout: this.#layout,
        leaders: this.#leaders,
        leaseSeconds: this.#settings.leaseSeconds,
      },
      candidate,
      elected,
      lost,
    );
    this.#reign = reign;
    return () => reign.resign(() => {});
  }

  leads(): boolean {
    return this.#reign?.refusal() === undefined && this.#reign !== undefined;
  }

  leader(changed: (candidate: string | undefined) => void): Cancel {
    return this.#leaders.follow(({ candidate }) => changed(candidate));
  }

  close(done: () => void): void {
    if (this.#isClosed) {
      this.#clock.after(0, done);
      return;
    }
    this.#isClosed = true;
    for (const cancel of [...this.#cancels]) cancel();
    let isDone = false;
    const finish = (): void => {
      if (isDone) return;
      isDone = true;
      giveUp();
      this.#connection.close();
      this.#clock.after(0, done);
    };
    const giveUp = this.#clock.after(closeMsMax, finish);
    const leave = (): void => {
      this.#leaders.close();
      if (this.#reign) this.#reign.resign(finish);
      else finish();
    };
    if (this.#underway === 0) leave();
    else this.#idle = leave;
  }

  #keyOf(key: string): Buffer {
    return Buffer.from(this.#layout.data + key);
  }

  #entryOf({ key, value, version }: KeyValue): StoreEntry {
    return { key: key.toString().slice(this.#layout.data.length), value, version };
  }

  /** Counts what is under way, and answers after the return. */
  #asked<T>(done: (result: Result<T>) => void, work: (settle: (result: Result<T>) => void) => void): void {
    if (this.#isClosed) {
      const error = new MusterError("unavailable", "the store is closed");
      this.#clock.after(0, () => done({ ok: false, error }));
      return;
    }
    this.#underway++;
    let hasReturned = false;
    const settle = (result: Result<T>): void => {
      if (!hasReturned) {
        this.#clock.after(0, () => settle(result));
        return;
      }
      this.#underway--;
      done(result);
      if (this.#underway === 0) this.#idle?.();
    };
    work(settle);
    hasReturned = true;
  }

  #send(transaction: StoreTransaction, overtaken: number, settle: (result: Result<StoreOutcome>) => void): void {
    const reign = this.#reign;
    const { compares, puts, deletes } = transaction;
    const go = (): void => {
      const compare: Compare[] = compares.map(({ key, version }) => ({
        result: compareEqual,
        target: compareTarget.version,
        key: this.#keyOf(key),
        version,
      }));
      const success: RequestOp[] = [
        ...puts.map(({ key, value }) => ({ put: { key: this.#keyOf(key), value, prevKv: true as const } })),
        ...deletes.map((key) => ({ delete: { key: this.#keyOf(key) } })),
      ];
      const failure: RequestOp[] = compares.map(({ key }) => ({ range: { key: this.#keyOf(key), keysOnly: true } }));
      if (reign) {
        compare.push(reign.guard());
        failure.push(reign.guardLook());
      }
      this.#connection.call(
        "txn",
        { compare, success, failure },
        "once",
        (result) => {
          if (!result.ok) {
            if (result.failure === undefined || !isRefusal(result.failure)) reign?.inDoubt();
            return settle({ ok: false, error: result.error });
          }
          if (result.value.succeeded) return settle({ ok: true, value: committed(result.value, puts.length) });
          const fate = reign?.judge(result.value.responses.at(-1)?.range?.kvs[0]) ?? "held";
          if (fate === "held") return settle({ ok: true, value: refusedBy(result.value, transaction) });
          if (fate === "again" && overtaken < overtakenMax) return this.#send(transaction, overtaken + 1, settle);
          settle({ ok: false, error: new MusterError("not-leader", "this master does not lead: nothing was written") });
        },
        transactTimeoutMs,
      );
    };
    if (reign === undefined) {
      go();
      return;
    }
    let isLate = false;
    const timer = this.#clock.after(transactTimeoutMs, () => {
      isLate = true;
      settle({ ok: false, error: new MusterError("unavailable", "etcd does not answer: nothing was written") });
    });
    reign.whenSettled((error) => {
      if (isLate) return;
      timer();
      if (error) settle({ ok: false, error });
      else go();
    });
  }

  #watchFrom(prefix: string, revision: number, changed: (changes: readonly StoreChange[]) => void): Cancel {
    const deps = { clock: this.#clock, connection: this.#connection, log: this.#log };
    return watchEntries(deps, this.#keyOf(prefix), revision, (changes) =>
      changed(
        changes.map(({ isDelete, kv }) =>
          isDelete ? { type: "delete", key: this.#entryOf(kv).key } : { type: "put", entry: this.#entryOf(kv) },
        ),
      ),
    );
  }
}

function committed({ responses }: TxnResponse, putCount: number): StoreOutcome {
  const versions = responses.slice(0, putCount).map(({ put }) => (put?.prevKv?.version ?? 0) + 1);
  return { committed: true, versions };
}

function refusedBy({ responses }: TxnResponse, { compares }: StoreTransaction): StoreOutcome {
  const conflicts = compares
    .map(({ key }, index) => ({ key, version: responses[index]?.range?.kvs[0]?.version ?? 0 }))
    .filter((now, index) => now.version !== compares[index]?.version);
  return { committed: false, conflicts };
}

import {
  type Cancel,
  type Clock,
  isStandby,
  Masters,
  type MusterError,
  type Random,
  type Result,
  type Transport,
} from "@muster/foundation";
import type {
  StateChange,
  StateEntry,
  StateGetResponse,
  StateListResponse,
  StateTransactResponse,
} from "@muster/proto";
import { Backoff } from "../connection/backoff.ts";

/** One call waits so long for its answer. */
const callTimeoutMs = 5_000;
/** Entries of one page of a list. */
const pageSize = 500;

/** One change of a transaction: exactly one of `put`, `delete` and `check`. */
export interface StateWrite {
  readonly key: string;
  /** The version that the entry must have; 0: it must not exist; absent: any. */
  readonly version?: number;
  readonly put?: Buffer;
  readonly delete?: true;
  readonly check?: true;
}

export interface StateRecord {
  readonly key: string;
  readonly value: Buffer;
  readonly version: number;
}

/**
 * The durable memory of one framework. Answers come by callback, after the call has returned. While the master does
 * not answer, the call is made again with growing delays, until the client's limit. Kinds of errors: `stale` when a version
 * was not as asked for, `invalid`, `too-many`, `unavailable` when the limit has passed.
 */
export interface StateClient {
  get(key: string, done: (result: Result<StateRecord | undefined>) => void): void;
  /** All entries whose keys begin with `prefix`, in order of their keys. */
  list(prefix: string, done: (result: Result<readonly StateRecord[]>) => void): void;
  /** All or none, at most 128. Gives the new versions in the order of the writes, 0 for removed ones. */
  transact(writes: readonly StateWrite[], done: (result: Result<readonly number[]>) => void): void;
  /** No call of this client answers any more. */
  close(): void;
}

export interface StateClientConfig {
  readonly address: string | readonly string[];
  /** Name of the framework. */
  readonly framework: string;
  /** A call is given up after so long. Default: never. */
  readonly giveUpAfterMs?: number;
}

export function createStateClient(
  deps: { readonly clock: Clock; readonly random: Random; readonly transport: Transport },
  config: StateClientConfig,
): StateClient {
  return new Client(deps, config);
}

class Client implements StateClient {
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #transport: Transport;
  readonly #masters: Masters;
  readonly #framework: string;
  readonly #giveUpAfterMs: number;
  readonly #cancels = new Set<Cancel>();
  #isClosed = false;

  constructor(deps: { clock: Clock; random: Random; transport: Transport }, config: StateClientConfig) {
    this.#clock = deps.clock;
    this.#random = deps.random.stream("state");
    this.#transport = deps.transport;
    this.#masters = new Masters(config.address);
    this.#framework = config.framework;
    this.#giveUpAfterMs = config.giveUpAfterMs ?? Number.POSITIVE_INFINITY;
  }

  get(key: string, done: (result: Result<StateRecord | undefined>) => void): void {
    const request = { framework: this.#framework, key };
    this.#insist<StateGetResponse>(
      (answer) => this.#transport.call("State.Get", this.#masters.current, request, callTimeoutMs, answer),
      (result) => {
        if (result.ok) done({ ok: true, value: result.value.entry ? recordOf(result.value.entry) : undefined });
        else if (result.error.kind === "not-found") done({ ok: true, value: undefined });
        else done(result);
      },
    );
  }

  list(prefix: string, done: (result: Result<readonly StateRecord[]>) => void): void {
    const records: StateRecord[] = [];
    const page = (after: string): void => {
      const request = { framework: this.#framework, prefix, after, limit: pageSize };
      this.#insist<StateListResponse>(
        (answer) => this.#transport.call("State.List", this.#masters.current, request, callTimeoutMs, answer),
        (result) => {
          if (!result.ok) return done(result);
          for (const entry of result.value.entries) records.push(recordOf(entry));
          const last = records.at(-1);
          if (result.value.more && last !== undefined && last.key !== after) page(last.key);
          else done({ ok: true, value: records });
        },
      );
    };
    page("");
  }

  transact(writes: readonly StateWrite[], done: (result: Result<readonly number[]>) => void): void {
    const request = { framework: this.#framework, changes: writes.map(changeOf) };
    this.#insist<StateTransactResponse>(
      (answer) => this.#transport.call("State.Transact", this.#masters.current, request, callTimeoutMs, answer),
      (result, wasInDoubt) => {
        if (result.ok) done({ ok: true, value: [...result.value.versions] });
        else if (wasInDoubt && result.error.kind === "stale") this.#findOut(writes, result.error, done);
        else done(result);
      },
    );
  }

  close(): void {
    this.#isClosed = true;
    for (const cancel of this.#cancels) cancel();
    this.#cancels.clear();
  }

  /**
   * An attempt whose answer was lost may have been the one that changed the version: then the entries that were asked to
   * have a version are as we want. All or none was written, and what is written at any version may have been overwritten.
   */
  #findOut(writes: readonly StateWrite[], stale: MusterError, done: (result: Result<readonly number[]>) => void): void {
    const versions: number[] = [];
    const look = (index: number): void => {
      const write = writes[index];
      if (write === undefined) {
        done({ ok: true, value: versions });
        return;
      }
      this.get(write.key, (result) => {
        if (!result.ok) return done(result);
        const present = result.value;
        const isOurs =
          write.version === undefined ||
          (write.put !== undefined
            ? present?.value.equals(write.put) === true
            : write.delete
              ? present === undefined
              : present?.version === write.version);
        if (!isOurs) return done({ ok: false, error: stale });
        versions.push(present?.version ?? 0);
        look(index + 1);
      });
    };
    look(0);
  }

  #insist<T>(
    attempt: (answer: (result: Result<T>) => void) => Cancel,
    done: (result: Result<T>, wasInDoubt: boolean) => void,
  ): void {
    if (this.#isClosed) return;
    const backoff = new Backoff(this.#random);
    const startMs = this.#clock.monotonicMs();
    let wasInDoubt = false;
    const go = (): void => {
      const cancel = attempt((result) => {
        this.#cancels.delete(cancel);
        if (this.#isClosed) return;
        if (result.ok || !isPassing(result.error)) return done(result, wasInDoubt);
        // Whoever stands by has done nothing.
        if (!isStandby(result.error)) wasInDoubt = true;
        this.#masters.next(result.error);
        const delayMs = backoff.nextMs(result.error);
        if (this.#clock.monotonicMs() - startMs + delayMs > this.#giveUpAfterMs) return done(result, wasInDoubt);
        const cancelWait = this.#clock.after(delayMs, () => {
          this.#cancels.delete(cancelWait);
          go();
        });
        this.#cancels.add(cancelWait);
      });
      this.#cancels.add(cancel);
    };
    go();
  }
}

/** Whether the same call may succeed later. */
function isPassing(error: MusterError): boolean {
  return error.kind === "unavailable" || error.kind === "not-leader" || error.kind === "too-late";
}

/** Byte fields are views of what was received; what is kept is a copy. */
function recordOf(entry: StateEntry): StateRecord {
  return { key: entry.key, value: Buffer.from(entry.value), version: entry.version };
}

function changeOf(write: StateWrite): StateChange {
  const change: StateChange = { key: write.key };
  if (write.version !== undefined) change.version = write.version;
  if (write.put !== undefined) change.put = write.put;
  else if (write.delete) change.delete = true;
  else if (write.check) change.check = true;
  return change;
}

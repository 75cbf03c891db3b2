import { MusterError } from "../errors/muster-error.ts";
import type { Outlet } from "./transport.ts";

/** Bytes of one message that an outbox makes, about: beyond, it begins another. */
export const batchBytesMax = 256 * 1024;
/** What an item counts as if its maker does not say. */
const itemBytesDefault = 200;

/** The fields of a message type that an outbox fills, in order of their numbers. */
export interface BatchShape<M> {
  readonly fields: readonly (keyof M & string)[];
  /** Which of them hold lists; the others hold one item. */
  readonly lists: ReadonlySet<string>;
  /** The place of each among the fields. */
  readonly ranks: ReadonlyMap<string, number>;
  empty(): M;
}

/** Field names must stand in the order of their numbers, for that is the order in which receivers act on them. */
export function batchShape<M extends object>(fields: readonly (keyof M & string)[], empty: () => M): BatchShape<M> {
  const example = empty() as Record<string, unknown>;
  const lists = new Set(fields.filter((field) => Array.isArray(example[field])));
  return { fields, lists, ranks: new Map(fields.map((field, index) => [field, index])), empty };
}

export interface OutboxLimits {
  /** Bytes that may wait for a peer that does not read; beyond, its stream is ended with `slow-reader`. */
  readonly queuedBytesMax: number;
}

/** Default: 8 MiB wait at most. */
export const outboxLimits: OutboxLimits = { queuedBytesMax: 8 * 1024 * 1024 };

/**
 * Collects what one tick produces for one peer and sends it as few messages as the order allows. O(1) an item.
 *
 * An item whose field comes before that of the item before it begins a new message, since a receiver acts on the
 * fields of one message in order: what was added first is acted on first.
 */
export class Outbox<M extends object> {
  readonly #outlet: Outlet<M>;
  readonly #shape: BatchShape<M>;
  readonly #limits: OutboxLimits;
  readonly #stamp: ((message: M) => void) | undefined;
  #open: M | undefined;
  #openRank = -1;
  /** The field that was added to last, and its list in the open message, if it has one: mostly the next item is for it too. */
  #openField: string | undefined;
  #openList: unknown[] | undefined;
  #openBytes = 0;
  #waiting: M[] = [];
  #waitingBytes = 0;
  #ended = false;

  /** `stamp` is called on every message just before it is sent: for headers. */
  constructor(outlet: Outlet<M>, shape: BatchShape<M>, limits = outboxLimits, stamp?: (message: M) => void) {
    this.#outlet = outlet;
    this.#shape = shape;
    this.#limits = limits;
    this.#stamp = stamp;
  }

  /** Adds an item to a list field, or sets a single one. `bytes` is about its size on the wire. */
  add<F extends keyof M & string>(
    field: F,
    item: M[F] extends readonly (infer Item)[] ? Item : M[F],
    bytes = itemBytesDefault,
  ): void {
    if (this.#ended) return;
    if (field === this.#openField && this.#openList !== undefined && this.#openBytes + bytes <= batchBytesMax) {
      this.#openList.push(item);
      this.#count(bytes);
      return;
    }
    const rank = this.#shape.ranks.get(field) ?? 0;
    const isList = this.#shape.lists.has(field);
    if (
      this.#open === undefined ||
      rank < this.#openRank ||
      (!isList && rank === this.#openRank) ||
      this.#openBytes + bytes > batchBytesMax
    )
      this.#begin();
    const message = this.#open as Record<string, unknown>;
    if (isList) {
      this.#openList = message[field] as unknown[];
      this.#openList.push(item);
    } else {
      this.#openList = undefined;
      message[field] = item;
    }
    this.#openField = field;
    this.#openRank = rank;
    this.#count(bytes);
  }

  #count(bytes: number): void {
    this.#openBytes += bytes;
    this.#waitingBytes += bytes;
    if (this.#waitingBytes > this.#limits.queuedBytesMax)
      this.end(new MusterError("slow-reader", `the peer reads too slowly: ${this.#waitingBytes} bytes wait for it`));
  }

  get isEmpty(): boolean {
    return this.#open === undefined && this.#waiting.length === 0;
  }

  /** Bytes that wait, about. */
  get queuedBytes(): number {
    return this.#waitingBytes;
  }

  /** Sends what the outlet will take; the rest goes when it is drained. */
  flush(): void {
    if (this.#ended) return;
    this.#close();
    let sent = 0;
    while (sent < this.#waiting.length && this.#outlet.ready()) {
      const message = this.#waiting[sent++] as M;
      this.#stamp?.(message);
      this.#outlet.send(message);
    }
    if (sent === this.#waiting.length) {
      this.#waiting = [];
      this.#waitingBytes = 0;
    } else if (sent > 0) {
      this.#waitingBytes -= Math.floor((this.#waitingBytes * sent) / this.#waiting.length);
      this.#waiting = this.#waiting.slice(sent);
    }
  }

  /** To be called when the outlet is ready again. */
  drained(): void {
    this.flush();
  }

  /** Ends the stream; what waits is sent first if there is no error. */
  end(error?: MusterError): void {
    if (this.#ended) return;
    if (!error) this.flush();
    this.#ended = true;
    this.#open = undefined;
    this.#waiting = [];
    this.#waitingBytes = 0;
    this.#outlet.end(error);
  }

  #begin(): void {
    this.#close();
    this.#open = this.#shape.empty();
  }

  #close(): void {
    if (this.#open !== undefined) this.#waiting.push(this.#open);
    this.#open = undefined;
    this.#openField = undefined;
    this.#openList = undefined;
    this.#openRank = -1;
    this.#openBytes = 0;
  }
}

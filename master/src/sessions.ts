import { batchShape, emptyMessage, type MusterError, Outbox, type Outlet } from "@muster/foundation";
import type { ConnectResponse, SubscribeResponse } from "@muster/proto";

const subscribeShape = batchShape<SubscribeResponse>(
  [
    "subscribed",
    "rescinds",
    "updates",
    "reconciled",
    "agentsLost",
    "refusals",
    "offers",
    "inverseOffers",
    "claimResults",
    "operationResults",
    "executorMessages",
    "heartbeat",
    "inverseRescinds",
  ],
  () => emptyMessage("SubscribeResponse"),
);

const connectShape = batchShape<ConnectResponse>(
  [
    "registered",
    "acknowledgements",
    "launches",
    "kills",
    "frameworksRemoved",
    "ping",
    "drain",
    "executorMessages",
    "overlayChanges",
    "shutDown",
    "operations",
  ],
  () => emptyMessage("ConnectResponse"),
);

/** With more than this waiting for a peer, messages of custom executors to it are dropped. */
export const executorMessagesQueuedBytesMax = 1024 * 1024;

/** The outboxes of all streams of frameworks and agents, by connection. */
export class Sessions {
  readonly #outboxes = new Map<number, Outbox<SubscribeResponse> | Outbox<ConnectResponse>>();
  readonly #touched = new Set<Outbox<SubscribeResponse> | Outbox<ConnectResponse>>();
  /** Those that have got nothing but offers: while more may come, they can wait. */
  readonly #patient = new Set<Outbox<SubscribeResponse> | Outbox<ConnectResponse>>();
  #connectionCount = 0;

  get size(): number {
    return this.#outboxes.size;
  }

  /** `ended` is called if the stream ends because the peer does not read. */
  openFramework(outlet: Outlet<SubscribeResponse>, epoch: () => number, ended: (connection: number) => void): number {
    const connection = ++this.#connectionCount;
    let sequence = 0;
    const stamp = (message: SubscribeResponse): void => {
      message.header = { epoch: epoch(), connection, sequence: ++sequence };
    };
    this.#outboxes.set(
      connection,
      new Outbox(this.#watched(outlet, connection, ended), subscribeShape, undefined, stamp),
    );
    return connection;
  }

  /** `ended` is called if the stream ends because the peer does not read. */
  openAgent(outlet: Outlet<ConnectResponse>, epoch: () => number, ended: (connection: number) => void): number {
    const connection = ++this.#connectionCount;
    let sequence = 0;
    const stamp = (message: ConnectResponse): void => {
      message.header = { epoch: epoch(), connection, sequence: ++sequence };
    };
    this.#outboxes.set(
      connection,
      new Outbox(this.#watched(outlet, connection, ended), connectShape, undefined, stamp),
    );
    return connection;
  }

  #watched<M>(outlet: Outlet<M>, connection: number, ended: (connection: number) => void): Outlet<M> {
    return {
      send: (message) => outlet.send(message),
      ready: () => outlet.ready(),
      end: (error) => {
        outlet.end(error);
        if (this.forget(connection)) ended(connection);
      },
    };
  }

  add(connection: number, field: string, item: unknown, bytes: number): void {
    const outbox = this.#outboxes.get(connection);
    if (outbox === undefined) return;
    // At most once: who does not read in time misses them, and is not taken for lost on their account.
    if (field === "executorMessages" && outbox.queuedBytes > executorMessagesQueuedBytesMax) return;
    (outbox.add as (field: string, item: unknown, bytes: number) => void).call(outbox, field, item, bytes);
    if (field === "offers" && !this.#touched.has(outbox)) this.#patient.add(outbox);
    else this.#touched.add(outbox);
  }

  /**
   * Once a tick: what was added goes out. With `offersWait` not to those who have got nothing but offers: a message
   * costs more than the offers in it. True if time ran out: the rest is to go out in the next tick.
   */
  flush(offersWait: boolean, outOfTime: () => boolean): boolean {
    if (!offersWait) {
      for (const outbox of this.#patient) this.#touched.add(outbox);
      this.#patient.clear();
    }
    let flushed = 0;
    for (const outbox of this.#touched) {
      if ((++flushed & 7) === 0 && outOfTime()) return true;
      this.#touched.delete(outbox);
      this.#patient.delete(outbox);
      outbox.flush();
    }
    return false;
  }

  drained(connection: number): void {
    this.#outboxes.get(connection)?.drained();
  }

  has(connection: number): boolean {
    return this.#outboxes.has(connection);
  }

  end(connection: number, error: MusterError | undefined): void {
    const outbox = this.#outboxes.get(connection);
    if (outbox === undefined) return;
    this.#outboxes.delete(connection);
    this.#touched.delete(outbox);
    this.#patient.delete(outbox);
    if (error) outbox.flush();
    outbox.end(error);
  }

  /** The peer has gone: nothing is to be sent any more. */
  forget(connection: number): boolean {
    const outbox = this.#outboxes.get(connection);
    if (outbox === undefined) return false;
    this.#outboxes.delete(connection);
    this.#touched.delete(outbox);
    this.#patient.delete(outbox);
    return true;
  }

  /** Ends all without a word of what waits to be sent. */
  dropAll(error: MusterError): void {
    const outboxes = [...this.#outboxes.values()];
    this.#outboxes.clear();
    this.#touched.clear();
    this.#patient.clear();
    for (const outbox of outboxes) outbox.end(error);
  }

  endAll(error: MusterError): void {
    for (const connection of [...this.#outboxes.keys()]) this.end(connection, error);
  }
}

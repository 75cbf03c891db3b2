import {
  type Cancel,
  type Clock,
  isStandby,
  type Log,
  Masters,
  MusterError,
  type Random,
  standbyRetryMs,
  type Transport,
} from "@muster/foundation";
import { type EventsResponse, type WatchEvent, WatchKind } from "@muster/proto";

/** Delay before the first attempt to reconnect; doubles up to the maximum. */
const retryMsMin = 100;
const retryMsMax = 2_000;
/** Records of a snapshot that we hold before it is complete; a cluster of a million tasks fits. */
const snapshotRecordsMax = 4_000_000;

export interface FollowerDeps {
  readonly clock: Clock;
  readonly random: Random;
  readonly transport: Transport;
  readonly log: Log;
}

/** Who is told what the master says. */
export interface Follower {
  /** The whole cluster anew. */
  replace(events: readonly WatchEvent[]): void;
  /** Changes in order. */
  change(events: readonly WatchEvent[]): void;
  /** What we have is what this master has. Called once after each loss. */
  current(leader: string): void;
  /** The stream is gone: what we have may grow old from here. Called once after each `current`. */
  lost(): void;
}

/**
 * Follows `Watch.Events` for ever: resumes where it stopped, asks for a snapshot when it cannot, and hands a snapshot
 * over only when it is whole.
 */
export class Feed {
  readonly #deps: FollowerDeps;
  readonly #masters: Masters;
  readonly #follower: Follower;
  /** The highest reign seen. */
  #epochSeen = 0;
  /** Where to resume; epoch 0 asks for a snapshot. */
  #epoch = 0;
  #sequence = 0;
  #clusterId = "";
  #snapshot: WatchEvent[] | undefined;
  #isCurrent = false;
  #stream: { readonly cancel: Cancel } | undefined;
  #connection = 0;
  #cancelRetry: Cancel | undefined;
  #retryMs = retryMsMin;

  constructor(deps: FollowerDeps, address: string | readonly string[], follower: Follower) {
    this.#deps = deps;
    this.#masters = new Masters(address);
    this.#follower = follower;
  }

  start(): void {
    if (this.#stream || this.#cancelRetry) return;
    this.#connect();
  }

  stop(): void {
    this.#cancelRetry?.();
    this.#cancelRetry = undefined;
    this.#disconnect();
  }

  #connect(): void {
    const connection = ++this.#connection;
    const request = {
      epoch: this.#epoch,
      sequence: this.#sequence,
      kinds: [WatchKind.WATCH_KIND_AGENTS, WatchKind.WATCH_KIND_FRAMEWORKS, WatchKind.WATCH_KIND_TASKS],
      frameworkId: "",
      agentId: "",
      role: "",
    };
    this.#snapshot = undefined;
    const cancel = this.#deps.transport.follow("Watch.Events", this.#masters.current, request, {
      receive: (message) => {
        if (connection === this.#connection) this.#receive(message);
      },
      drained: () => {},
      closed: (error) => {
        if (connection === this.#connection) this.#retry(error);
      },
    });
    this.#stream = { cancel };
  }

  #receive(message: EventsResponse): void {
    const refusal = this.#check(message);
    if (refusal) {
      this.#retry(refusal);
      return;
    }
    if (message.snapshot) {
      const records = this.#snapshot ?? [];
      this.#snapshot = records;
      for (const event of message.events) records.push(event);
      if (!message.snapshotComplete) return;
      this.#snapshot = undefined;
      this.#follower.replace(records);
    } else if (message.events.length > 0) this.#follower.change(message.events);
    this.#epoch = message.epoch;
    this.#epochSeen = message.epoch;
    this.#sequence = message.sequence;
    this.#clusterId = message.clusterId;
    this.#retryMs = retryMsMin;
    if (this.#isCurrent) return;
    this.#isCurrent = true;
    this.#follower.current(this.#masters.current);
  }

  /** Why a message cannot be taken, if so. After it nothing of the connection is. */
  #check(message: EventsResponse): MusterError | undefined {
    const isSameCluster = this.#clusterId === "" || message.clusterId === this.#clusterId;
    if (isSameCluster && message.epoch < this.#epochSeen)
      return new MusterError("stale", `a master of epoch ${message.epoch} speaks, ${this.#epochSeen} was seen`);
    if (message.snapshot) {
      if ((this.#snapshot?.length ?? 0) + message.events.length > snapshotRecordsMax)
        return new MusterError("too-many", `a snapshot of more than ${snapshotRecordsMax} records`);
      return undefined;
    }
    if (!isSameCluster || message.epoch !== this.#epoch || message.sequence < this.#sequence || this.#snapshot) {
      // Its changes do not fit what we have. Everything anew.
      this.#epoch = 0;
      this.#sequence = 0;
      return new MusterError("stale", "changes of another epoch or out of order: a snapshot is needed");
    }
    return undefined;
  }

  #retry(error: MusterError | undefined): void {
    this.#disconnect();
    this.#masters.next(error);
    const longestMs = isStandby(error) ? Math.min(standbyRetryMs, this.#retryMs) : this.#retryMs;
    const delayMs = longestMs * (0.5 + this.#deps.random.next() / 2);
    if (!isStandby(error)) this.#retryMs = Math.min(this.#retryMs * 2, retryMsMax);
    this.#deps.log.debug({ error: error?.message, delayMs }, "watch ended, trying again");
    this.#cancelRetry = this.#deps.clock.after(delayMs, () => {
      this.#cancelRetry = undefined;
      this.#connect();
    });
  }

  #disconnect(): void {
    this.#connection += 1;
    this.#stream?.cancel();
    this.#stream = undefined;
    this.#snapshot = undefined;
    if (!this.#isCurrent) return;
    this.#isCurrent = false;
    this.#follower.lost();
  }
}

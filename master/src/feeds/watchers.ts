import { type Cancel, type Clock, type Inlet, invalid, MusterError, type Outlet } from "@muster/foundation";
import type { EventsRequest, EventsResponse, WatchEvent } from "@muster/proto";
import type { MasterState } from "../core/model.ts";
import { type FeedFilter, passes } from "./filter.ts";
import type { EventRing } from "./ring.ts";
import { snapshotPartRecords, snapshotRecords } from "./snapshot.ts";

/** Readers of the feed at one time. */
export const watchersMax = 1_000;
/** Events in one message. */
export const messageEventsMax = 256;
/** A reader that takes nothing for so long, while there is something for it, is cut off. */
export const watcherStallMsMax = 10_000;
/** A reader that is behind by more than this gets only the latest event of each subject. */
export const coalesceFromEvents = 1_024;
/** Events that are looked at in one go for such a reader. */
export const coalesceEventsMax = 8_192;

/** The feed's readers. What waits for one is its place in the ring, so a slow one costs no memory. */
export class Watchers {
  readonly #state: MasterState;
  readonly #ring: EventRing;
  readonly #clock: Clock;
  readonly #wake: () => void;
  readonly #watchers = new Set<Watcher>();
  /** Looks again once a reader has taken nothing for too long: in a quiet cluster nothing else would. */
  #stallTimer: Cancel | undefined;

  /** `wake` asks for a call of `flush` in the next tick. */
  constructor(state: MasterState, ring: EventRing, clock: Clock, wake: () => void) {
    this.#state = state;
    this.#ring = ring;
    this.#clock = clock;
    this.#wake = wake;
  }

  get count(): number {
    return this.#watchers.size;
  }

  open(request: EventsRequest, outlet: Outlet<EventsResponse>): Inlet<never> {
    const unknown = request.kinds.findIndex((kind) => !(kind >= 1 && kind <= 6));
    if (unknown >= 0)
      outlet.end(invalid(`kinds[${unknown}]`, "must be agents, frameworks, tasks, offers, roles or operations"));
    else if (this.#watchers.size >= watchersMax)
      outlet.end(new MusterError("too-many", `at most ${watchersMax} readers`, { retryAfterMs: 5_000 }));
    else {
      const watcher = new Watcher(this.#state, this.#ring, request, outlet);
      this.#watchers.add(watcher);
      this.#wake();
      return {
        receive: () => {},
        drained: () => this.#wake(),
        closed: () => this.#watchers.delete(watcher),
      };
    }
    return { receive: () => {}, drained: () => {}, closed: () => {} };
  }

  /**
   * Called once a tick: each reader gets one message. True if there is more to send at once; also if time ran out before
   * all had their turn, and then those that had none come first the next time.
   */
  flush(outOfTime: () => boolean): boolean {
    let more = false;
    const nowMs = this.#clock.monotonicMs();
    for (const watcher of [...this.#watchers]) {
      if (more && outOfTime()) return true;
      const outcome = watcher.flush(nowMs);
      if (outcome === "more") {
        this.#watchers.delete(watcher);
        this.#watchers.add(watcher);
      }
      if (outcome === "cut") this.#watchers.delete(watcher);
      else if (outcome === "more") more = true;
      else if (outcome === "stalled") this.#stallTimer ??= this.#clock.after(watcherStallMsMax, () => this.#look());
    }
    return more;
  }

  end(error: MusterError): void {
    this.#stallTimer?.();
    for (const watcher of this.#watchers) watcher.end(error);
    this.#watchers.clear();
  }

  #look(): void {
    this.#stallTimer = undefined;
    this.#wake();
  }
}

class Watcher {
  readonly #state: MasterState;
  readonly #ring: EventRing;
  readonly #outlet: Outlet<EventsResponse>;
  readonly #kinds: ReadonlySet<number>;
  readonly #filter: FeedFilter;
  /** The last event that it accounts for. */
  #sequence: number;
  #snapshot: Iterator<Omit<WatchEvent, "sequence">> | undefined;
  #stalledSinceMs: number | undefined;

  constructor(state: MasterState, ring: EventRing, request: EventsRequest, outlet: Outlet<EventsResponse>) {
    this.#state = state;
    this.#ring = ring;
    this.#outlet = outlet;
    this.#kinds = new Set(request.kinds);
    this.#filter = request;
    const resumes =
      request.epoch === state.epoch && request.sequence <= ring.last && request.sequence >= ring.first - 1;
    this.#sequence = resumes ? request.sequence : ring.last;
    if (!resumes) this.#snapshot = snapshotRecords(state, (kind) => this.#wants(kind));
  }

  #wants(kind: number): boolean {
    return this.#kinds.size === 0 || this.#kinds.has(kind);
  }

  flush(nowMs: number): "done" | "more" | "stalled" | "cut" {
    if (this.#snapshot === undefined && this.#sequence === this.#ring.last) {
      this.#stalledSinceMs = undefined;
      return "done";
    }
    if (!this.#outlet.ready()) {
      this.#stalledSinceMs ??= nowMs;
      if (nowMs - this.#stalledSinceMs < watcherStallMsMax && this.#sequence >= this.#ring.first - 1) return "stalled";
      this.end(new MusterError("slow-reader", "the feed was not read in time: resume, or take a new snapshot"));
      return "cut";
    }
    this.#stalledSinceMs = undefined;
    if (this.#sequence < this.#ring.first - 1) {
      this.end(new MusterError("slow-reader", "the feed went on too far: take a new snapshot"));
      return "cut";
    }
    if (this.#snapshot !== undefined) this.#sendSnapshotPart(this.#snapshot);
    else this.#sendEvents();
    return this.#snapshot === undefined && this.#sequence === this.#ring.last ? "done" : "more";
  }

  end(error: MusterError): void {
    this.#outlet.end(error);
  }

  #sendSnapshotPart(snapshot: Iterator<Omit<WatchEvent, "sequence">>): void {
    const events: WatchEvent[] = [];
    let complete = false;
    while (events.length < snapshotPartRecords) {
      const next = snapshot.next();
      if (next.done) {
        complete = true;
        break;
      }
      if (!passes(this.#filter, next.value)) continue;
      events.push({ sequence: 0, ...next.value });
    }
    if (complete) this.#snapshot = undefined;
    this.#send(events, true, complete, this.#sequence);
  }

  #sendEvents(): void {
    const ring = this.#ring;
    const from = this.#sequence;
    const behind = ring.last - from;
    const coalesces = behind > coalesceFromEvents;
    const until = Math.min(ring.last, from + (coalesces ? coalesceEventsMax : messageEventsMax));
    let wanted: number[] = [];
    for (let sequence = from + 1; sequence <= until; sequence++)
      if (this.#wants(ring.kindAt(sequence)) && ring.passesAt(sequence, this.#filter)) wanted.push(sequence);
    this.#sequence = until;
    if (coalesces) wanted = latestOfEach(ring, wanted);
    for (let at = 0; at < wanted.length; at += snapshotPartRecords) {
      const part = wanted.slice(at, at + snapshotPartRecords);
      // Only the last part accounts for all: whoever resumes after another begins where this one did.
      const isLast = at + snapshotPartRecords >= wanted.length;
      const events = part.map((sequence) => ring.at(sequence)).filter((event) => event !== undefined);
      this.#send(events, false, false, isLast ? until : from);
    }
  }

  #send(events: WatchEvent[], snapshot: boolean, snapshotComplete: boolean, sequence: number): void {
    this.#outlet.send({
      epoch: this.#state.epoch,
      sequence,
      snapshot,
      snapshotComplete,
      events,
      clusterId: this.#state.clusterId,
    });
  }
}

/** Of several events about one subject the last, in order. */
function latestOfEach(ring: EventRing, sequences: readonly number[]): number[] {
  const latest = new Map<string, number>();
  for (const sequence of sequences) latest.set(ring.subjectAt(sequence), sequence);
  return [...latest.values()].sort((a, b) => a - b);
}

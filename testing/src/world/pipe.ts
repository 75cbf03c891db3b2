import type { MusterError } from "@muster/foundation";
import type { Life } from "./life.ts";
import type { Links } from "./links.ts";
import type { World } from "./world.ts";

/** What travels through a pipe: a message, or the end of the stream. */
export type Segment =
  | { readonly kind: "message"; readonly bytes: Uint8Array }
  | { readonly kind: "end"; readonly error: MusterError | undefined };

/** More than this on its way, and the sender is asked to wait. About what a socket and its buffers hold. */
export const pipeMessagesMax = 32;
export const pipeBytesMax = 256 * 1024;

/** More than this is on its way only if a sender does not look whether it should wait, and nobody cuts it off. */
export const floodMessages = 1_024;
export const floodBytes = 8 * 1024 * 1024;

/** One direction of a connection: everything arrives in the order of sending, or never. */
export class Pipe {
  readonly from: Life;
  readonly to: Life;
  readonly #world: World;
  readonly #links: Links;
  readonly #deliver: (segment: Segment) => void;
  readonly #drained: () => void;
  readonly #flooded: (messages: number, bytes: number) => void;
  #queue: Segment[] = [];
  /** Arrivals that came while nothing could: made up for when it can again. */
  #owed = 0;
  #lastAtMs = 0;
  #bytes = 0;
  #isBroken = false;
  #someoneWaits = false;

  constructor(
    world: World,
    links: Links,
    ends: { readonly from: Life; readonly to: Life },
    deliver: (segment: Segment) => void,
    drained: () => void,
    flooded: (messages: number, bytes: number) => void,
  ) {
    this.#world = world;
    this.#links = links;
    this.from = ends.from;
    this.to = ends.to;
    this.#deliver = deliver;
    this.#drained = drained;
    this.#flooded = flooded;
  }

  send(segment: Segment): void {
    if (this.#isBroken) return;
    this.#queue.push(segment);
    if (segment.kind === "message") this.#bytes += segment.bytes.length;
    if (this.#queue.length > floodMessages || this.#bytes > floodBytes) this.#flooded(this.#queue.length, this.#bytes);
    this.#arriveLater();
  }

  /** False while too much is on its way. */
  ready(): boolean {
    const isReady = this.#queue.length < pipeMessagesMax && this.#bytes < pipeBytesMax;
    if (!isReady) this.#someoneWaits = true;
    return isReady;
  }

  /** The link carries again. */
  flush(): void {
    const owed = this.#owed;
    this.#owed = 0;
    for (let i = 0; i < owed; i++) this.#arriveLater();
  }

  /** Nothing arrives any more. */
  break(): void {
    this.#isBroken = true;
    this.#queue = [];
    this.#bytes = 0;
  }

  #arriveLater(): void {
    const { nowMs } = this.#world;
    this.#lastAtMs = Math.max(this.#lastAtMs, nowMs + this.#links.delayMs(this.from.host, this.to.host));
    this.#world.after(this.to, this.#lastAtMs - nowMs, "arrival", () => this.#arrive());
  }

  #arrive(): void {
    if (this.#isBroken) return;
    if (this.#links.isCut(this.from.host, this.to.host)) {
      this.#owed++;
      return;
    }
    const segment = this.#queue.shift();
    if (segment === undefined) return;
    if (segment.kind === "message") this.#bytes -= segment.bytes.length;
    if (this.#someoneWaits && this.#queue.length <= pipeMessagesMax / 2 && this.#bytes <= pipeBytesMax / 2) {
      this.#someoneWaits = false;
      this.#world.after(this.from, 0, "drained", this.#drained);
    }
    const bytes = segment.kind === "message" ? segment.bytes : undefined;
    this.#world.trace.add(this.#world.nowMs, segment.kind, this.from.name, this.to.name, bytes);
    this.#deliver(segment);
  }
}

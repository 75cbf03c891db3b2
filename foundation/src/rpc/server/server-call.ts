import { constants, type IncomingHttpHeaders, type OutgoingHttpHeaders, type ServerHttp2Stream } from "node:http2";
import { MusterError } from "../../errors/muster-error.ts";
import type { Peer } from "../transport.ts";
import { decompressed, encodings } from "./compression.ts";
import { MessageReader, messageHeadBytes } from "./message-reader.ts";
import { statusHeaders } from "./status-headers.ts";

/** Bytes that wait for a caller who does not read before it counts as behind. */
export const waitingBytesMax = 128 * 1024;

const head = {
  [constants.HTTP2_HEADER_STATUS]: 200,
  [constants.HTTP2_HEADER_CONTENT_TYPE]: "application/grpc+proto",
  "grpc-accept-encoding": encodings,
} as const;
const withTrailers = { waitForTrailers: true } as const;
const noTrailers = { endStream: true } as const;

const unitMs: Readonly<Record<string, number>> = { H: 3_600_000, M: 60_000, S: 1_000, m: 1, u: 1e-3, n: 1e-6 };
/** What Node's timers take; a limit beyond is none. */
const timeoutMsMax = 2 ** 31 - 1;

/** What is told of a call. */
export interface CallListener {
  /** A message, as its bytes. What it throws ends the call. */
  message(bytes: Buffer): void;
  /** `ready()` is true again. */
  drained(): void;
  /** The caller has said all. */
  halfClosed(): void;
  /** The call is over, once: with `cancelled` if its caller left, `too-late` after its own limit. Undefined: we ended it. */
  over(error: MusterError | undefined): void;
}

type Stream = ServerHttp2Stream & { call?: ServerCall };

/**
 * One gRPC call over a stream of HTTP/2, from its headers on. Messages are written as they are given; an O(1) number of
 * objects is made for a call, and for a message none but its bytes.
 */
export class ServerCall {
  readonly peer: Peer;
  readonly #stream: Stream;
  readonly #encoding: string;
  readonly #bytesMax: number;
  readonly #reader: MessageReader;
  readonly #take = (bytes: Buffer, isCompressed: boolean): void => {
    if (this.#isEnding) return;
    this.#listener?.message(isCompressed ? decompressed(bytes, this.#encoding, this.#bytesMax) : bytes);
  };
  #listener: CallListener | undefined;
  #deadline: NodeJS.Timeout | undefined;
  #isAnswered = false;
  #isEnding = false;
  #isOver = false;

  constructor(stream: ServerHttp2Stream, headers: IncomingHttpHeaders, peer: Peer, bytesMax: number) {
    this.peer = peer;
    this.#stream = stream;
    this.#encoding = (headers["grpc-encoding"] as string | undefined) ?? "identity";
    this.#bytesMax = bytesMax;
    this.#reader = new MessageReader(bytesMax);
    (stream as Stream).call = this;
    stream.on("error", ignore);
    stream.on("close", onClose);
    const timeout = headers["grpc-timeout"];
    if (timeout !== undefined) this.#endAfter(String(timeout));
  }

  /** Nothing of the call is read before. */
  listen(listener: CallListener): void {
    this.#listener = listener;
    this.#stream.on("data", onData);
    this.#stream.on("end", onEnd);
    this.#stream.on("drain", onDrain);
  }

  /** Sends a message before which there is room for its head. */
  send(framed: Buffer): void {
    if (this.#isEnding || this.#stream.destroyed) return;
    framed[0] = 0;
    framed.writeUInt32BE(framed.length - messageHeadBytes, 1);
    if (!this.#isAnswered) {
      this.#isAnswered = true;
      this.#stream.respond(head, withTrailers);
    }
    this.#stream.write(framed);
  }

  /** False while the caller or the network is behind. */
  ready(): boolean {
    const { writableNeedDrain, writableLength } = this.#stream;
    return !this.#isEnding && (!writableNeedDrain || writableLength < waitingBytesMax);
  }

  /** Ends the call, well or with an error; what was sent before arrives before. */
  end(error?: MusterError): void {
    if (this.#isEnding) return;
    this.#isEnding = true;
    if (this.#stream.destroyed) return;
    const trailers = statusHeaders(error);
    if (this.#isAnswered) {
      this.#stream.once("wantTrailers", () => {
        this.#stream.sendTrailers(trailers);
        this.#finish(undefined);
      });
      this.#stream.end();
      return;
    }
    this.#stream.respond({ ...head, ...trailers } as OutgoingHttpHeaders, noTrailers);
    this.#finish(undefined);
    // What the caller still says leads nowhere, but must not fill the connection's window.
    this.#stream.resume();
  }

  received(chunk: Buffer): void {
    if (this.#isEnding) return;
    try {
      this.#reader.read(chunk, this.#take);
    } catch (error) {
      this.end(MusterError.from(error));
    }
  }

  halfClosed(): void {
    if (!this.#isEnding) this.#listener?.halfClosed();
  }

  drained(): void {
    if (!this.#isEnding) this.#listener?.drained();
  }

  closed(): void {
    this.#isEnding = true;
    this.#finish(new MusterError("cancelled", "the peer left"));
  }

  /** Tells that it is over, after the present turn: nobody is told while they speak. */
  #finish(error: MusterError | undefined): void {
    if (this.#isOver) return;
    this.#isOver = true;
    clearTimeout(this.#deadline);
    queueMicrotask(() => this.#listener?.over(error));
  }

  #endAfter(timeout: string): void {
    const [, amount = "", unit = ""] = /^(\d{1,8})([HMSmun])$/.exec(timeout) ?? [];
    const timeoutMs = Number(amount) * (unitMs[unit] ?? 0);
    if (timeoutMs === 0 || timeoutMs > timeoutMsMax) return;
    this.#deadline = setTimeout(() => {
      const error = new MusterError("too-late", "the caller's time limit has passed");
      this.#finish(error);
      this.end(error);
    }, timeoutMs);
  }
}

// Shared by all calls: what is made for each stream counts where there are tens of thousands.
function onData(this: Stream, chunk: Buffer): void {
  this.call?.received(chunk);
}
function onEnd(this: Stream): void {
  this.call?.halfClosed();
}
function onDrain(this: Stream): void {
  this.call?.drained();
}
function onClose(this: Stream): void {
  this.call?.closed();
}
function ignore(): void {}

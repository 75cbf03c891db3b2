import { type Codec, type Inlet, type MethodName, MusterError, type Outlet } from "@muster/foundation";
import type { Life } from "./life.ts";
import type { Links } from "./links.ts";
import { Pipe, type Segment } from "./pipe.ts";
import type { World } from "./world.ts";

/** What a connection needs of its network. */
export interface Ground {
  readonly world: World;
  readonly links: Links;
  /** A message is about to be received. */
  tap(method: MethodName, from: Life, to: Life, message: unknown): void;
  /** More is on its way than a sender sends that looks at `ready`. */
  flooded(method: MethodName, from: Life, to: Life, messages: number, bytes: number): void;
  /** The connection has no open end any more. */
  over(connection: Connection): void;
}

/** A peer that does not answer pings is found out between these, as with HTTP/2 keepalive of 20 s and 10 s. */
export const keepaliveMs = { first: 20_000, last: 30_000 } as const;
/** The longest after which the ends of a connection that lost a message know of it. */
const breakNoticeMsMax = 5_000;

/** A stream between two lives: two pipes, two ends. Each end learns of trouble by itself. */
export class Connection {
  readonly method: MethodName;
  readonly client: End;
  readonly server: End;
  readonly #ground: Ground;

  constructor(ground: Ground, method: MethodName, client: EndOptions, server: EndOptions) {
    this.#ground = ground;
    this.method = method;
    this.client = new End(this, ground, "client", client);
    this.server = new End(this, ground, "server", server);
    this.client.join(this.server);
    this.server.join(this.client);
  }

  endOf(life: Life): End {
    return this.client.life === life ? this.client : this.server;
  }

  /** A message was lost for good: nothing arrives any more, and each end finds out by itself. */
  breakLater(): void {
    for (const end of [this.client, this.server]) {
      end.pipe.break();
      const delayMs = this.#ground.links.anyDelayMs(end.life.host, end.peer.life.host, 0, breakNoticeMsMax);
      end.failLater(delayMs, "the connection broke");
    }
  }

  /**
   * The client has lost it and the server does not know, as after a reset by something in between: what the client had
   * sent still arrives, perhaps after what it sends on its next connection.
   */
  loseClient(): void {
    const { client, server } = this;
    client.fail(new MusterError("unavailable", "connection reset"));
    this.forsake(server, this.#ground.links.anyDelayMs(client.life.host, server.life.host, 0, keepaliveMs.last));
  }

  /** One end is gone without a word: the other one finds out by pings, as soon as they get through or time out. */
  forsake(end: End, delayMs: number): void {
    const { world, links } = this.#ground;
    world.after(end.life, delayMs, "ping", () => {
      if (end.isOver) return;
      const here = end.life.host;
      const there = end.peer.life.host;
      if (links.isCut(here, there) || links.isCut(there, here)) this.forsake(end, keepaliveMs.first);
      else end.fail(new MusterError("unavailable", "connection reset by the peer"));
    });
  }

  ended(): void {
    if (this.client.isOver && this.server.isOver) this.#ground.over(this);
  }
}

export interface EndOptions {
  readonly life: Life;
  readonly encode: Codec<unknown>;
  readonly decode: Codec<unknown>;
}

/** One end of a connection. */
export class End {
  readonly life: Life;
  readonly #connection: Connection;
  readonly #ground: Ground;
  readonly #side: "client" | "server";
  readonly #options: EndOptions;
  #peer: End | undefined;
  #pipe: Pipe | undefined;
  #inlet: Inlet<unknown> | undefined;
  #isEnded = false;
  isOver = false;

  constructor(connection: Connection, ground: Ground, side: "client" | "server", options: EndOptions) {
    this.#connection = connection;
    this.#ground = ground;
    this.#side = side;
    this.#options = options;
    this.life = options.life;
  }

  get peer(): End {
    if (this.#peer === undefined) throw new Error("an end without a peer");
    return this.#peer;
  }

  /** The pipe that carries what this end sends. */
  get pipe(): Pipe {
    if (this.#pipe === undefined) throw new Error("an end without a pipe");
    return this.#pipe;
  }

  join(peer: End): void {
    this.#peer = peer;
    const ends = { from: this.life, to: peer.life };
    this.#pipe = new Pipe(
      this.#ground.world,
      this.#ground.links,
      ends,
      (segment) => peer.arrive(segment),
      () => this.#drain(),
      (messages, bytes) => this.#ground.flooded(this.#connection.method, this.life, peer.life, messages, bytes),
    );
  }

  /** Who reads what arrives here. */
  listen(inlet: Inlet<unknown>): void {
    this.#inlet = inlet;
  }

  outlet(): Outlet<unknown> {
    return {
      send: (message) => this.send(message),
      ready: () => !this.#isEnded && !this.isOver && this.pipe.ready(),
      end: (error) => this.finish(error),
    };
  }

  send(message: unknown): void {
    if (this.#isEnded || this.isOver) return;
    if (this.#ground.links.draw("loss", this.life.host, this.peer.life.host)) {
      this.#connection.breakLater();
      return;
    }
    this.pipe.send({ kind: "message", bytes: this.#options.encode.encode(message) });
  }

  /** Ends this side in good order, or for a reason. A client that gives a reason wants nothing more. */
  finish(error: MusterError | undefined): void {
    if (this.#isEnded || this.isOver) return;
    this.#isEnded = true;
    const cancelled = this.#side === "client" && error !== undefined;
    this.pipe.send({ kind: "end", error: cancelled ? new MusterError("cancelled", "the peer left") : error });
    if (this.#side === "server") this.#close();
    else if (cancelled) this.failLater(0, "cancelled", "cancelled");
  }

  /** A client leaves without wanting to hear of it. */
  leave(): void {
    this.#inlet = undefined;
    this.finish(new MusterError("cancelled", "the caller left"));
  }

  arrive(segment: Segment): void {
    if (this.isOver) {
      // The other side speaks to a closed end: its kernel is told so.
      if (!this.peer.isOver) this.#connection.forsake(this.peer, this.#delayMs());
      return;
    }
    if (segment.kind === "message") {
      const message = this.#options.decode.decode(segment.bytes);
      this.#ground.tap(this.#connection.method, this.peer.life, this.life, message);
      this.#guarded(() => this.#inlet?.receive(message));
      return;
    }
    if (this.#side === "client") {
      this.fail(segment.error);
      return;
    }
    // As our gRPC server does: a client that has ended its side gets the end of the other side, too.
    this.#guarded(() => this.#inlet?.closed(segment.error));
    this.finish(undefined);
  }

  /** The stream is over for this end. */
  fail(error: MusterError | undefined): void {
    if (this.isOver) return;
    const inlet = this.#inlet;
    this.#close();
    this.#guarded(() => inlet?.closed(error));
  }

  failLater(delayMs: number, reason: string, kind: "unavailable" | "cancelled" = "unavailable"): void {
    this.#ground.world.after(this.life, delayMs, "broken", () => this.fail(new MusterError(kind, reason)));
  }

  /** What the life of this end leaves behind when it ends. */
  abandon(): void {
    this.#close();
  }

  #drain(): void {
    if (!this.isOver && !this.#isEnded) this.#inlet?.drained();
  }

  #close(): void {
    if (this.isOver) return;
    this.isOver = true;
    this.#connection.ended();
  }

  #delayMs(): number {
    return this.#ground.links.delayMs(this.life.host, this.peer.life.host);
  }

  /** A refusal thrown by a handler ends the stream with it, as over gRPC; anything else is a bug and travels up. */
  #guarded(work: () => void): void {
    try {
      work();
    } catch (error) {
      if (!(error instanceof MusterError)) throw error;
      this.finish(error);
    }
  }
}

import {
  type Cancel,
  type FollowHandler,
  type Handlers,
  type Inlet,
  type MethodName,
  MusterError,
  methodCodecs,
  type Outlet,
  type Peer,
  type Random,
  type StreamHandler,
  type Transport,
} from "@muster/foundation";
import { callOver } from "./calls.ts";
import { Connection, type Ground, keepaliveMs } from "./connection.ts";
import type { Death, Life } from "./life.ts";
import type { Links } from "./links.ts";
import type { World } from "./world.ts";

/** Nobody answers for so long: the attempt is given up. */
export const connectTimeoutMs = 20_000;
const connectRetryMs = 1_000;

/** Who serves at an address. */
export interface Listener {
  readonly life: Life;
  readonly handlers: Handlers;
}

type Accept = (listener: Listener, connection: Connection) => MusterError | undefined;

/** The network between the lives of a world. Everything passes the real codecs both ways. */
export class Network {
  readonly #world: World;
  readonly #links: Links;
  readonly #listeners = new Map<string, Listener>();
  readonly #connections = new Set<Connection>();
  readonly #watched = new Set<Life>();
  readonly #ground: Ground;

  /** For checkers: told of streams on which more is on its way than any sender that looks at `ready` would send. */
  onFlood: (method: MethodName, from: Life, to: Life, messages: number, bytes: number) => void = () => {};
  /** For checkers: reads every message of a stream when it arrives, before its receiver does. It must not be changed. */
  onMessage: ((method: MethodName, from: Life, to: Life, message: unknown) => void) | undefined;

  constructor(world: World, links: Links) {
    this.#world = world;
    this.#links = links;
    this.#ground = {
      world,
      links,
      tap: (method, from, to, message) => this.onMessage?.(method, from, to, message),
      flooded: (method, from, to, messages, bytes) => this.onFlood(method, from, to, messages, bytes),
      over: (connection) => this.#connections.delete(connection),
    };
    links.onChange((from, to, isCut) => (isCut ? this.#cut(from, to) : this.#healed(from, to)));
  }

  /** Connections with at least one open end. */
  get connectionCount(): number {
    return this.#connections.size;
  }

  /** One of the streams that are open at both ends is lost for its client alone. False if there is none. */
  loseOneClient(random: Random): boolean {
    const open = [...this.#connections].filter(({ client, server }) => !client.isOver && !server.isOver);
    const connection = open[Math.floor(random.next() * open.length)];
    connection?.loseClient();
    return connection !== undefined;
  }

  /** Serves handlers at an address until the life ends or the cancel is called. */
  serve(life: Life, address: string, handlers: Handlers): Cancel {
    const listener = { life, handlers };
    this.#listeners.set(address, listener);
    this.#watch(life);
    return () => {
      if (this.#listeners.get(address) === listener) this.#listeners.delete(address);
    };
  }

  /** Who serves at an address now. */
  listenerAt(address: string): Listener | undefined {
    const listener = this.#listeners.get(address);
    return listener?.life.alive ? listener : undefined;
  }

  /** What a life calls others with. */
  transportOf(life: Life): Transport {
    this.#watch(life);
    return {
      open: (method, address, inlet) => this.#open(life, method, address, inlet as Inlet<unknown>) as never,
      call: (method, address, request, timeoutMs, done) => {
        const place = { world: this.#world, links: this.#links, listener: this.#listeners.get(address) };
        return callOver(place, life, { method, request, timeoutMs }, done as never);
      },
      follow: (method, address, request, inlet) =>
        this.#follow(life, method, address, request, inlet as Inlet<unknown>),
    };
  }

  #open(life: Life, method: MethodName, address: string, inlet: Inlet<unknown>): Outlet<unknown> {
    return this.#connect(life, method, address, inlet, ({ handlers }, { server }) => {
      const handler = handlers[method] as unknown as StreamHandler<"Scheduling.Subscribe"> | undefined;
      if (handler === undefined) return unsupported(method);
      server.listen(handler(server.outlet() as Outlet<never>, peerOf(life)) as Inlet<unknown>);
      return undefined;
    });
  }

  #follow(life: Life, method: MethodName, address: string, request: unknown, inlet: Inlet<unknown>): Cancel {
    const { request: codec } = methodCodecs(method);
    const bytes = codec.encode(request);
    const outlet = this.#connect(life, method, address, inlet, ({ handlers }, { server }) => {
      const handler = handlers[method] as unknown as FollowHandler<"Watch.Events"> | undefined;
      if (handler === undefined) return unsupported(method);
      this.#world.trace.add(this.#world.nowMs, method, life.name, server.life.name, bytes);
      server.listen(handler(codec.decode(bytes) as never, server.outlet() as Outlet<never>, peerOf(life)));
      return undefined;
    });
    return () => outlet.leave();
  }

  /** Knocks until somebody opens, nobody is there, or the time is over. */
  #connect(life: Life, method: MethodName, address: string, inlet: Inlet<unknown>, accept: Accept): Attempt {
    const attempt = new Attempt(inlet);
    const startedAtMs = this.#world.nowMs;
    const refuse = (reason: string): void => {
      const refused = new MusterError("unavailable", `no answer from ${address} to ${method}: ${reason}`);
      this.#world.after(life, this.#delayMs(life.host, hostOf(address)), "refused", () => attempt.refuse(refused));
    };
    const knock = (): void => {
      if (!life.alive || attempt.isOver) return;
      const host = this.#listeners.get(address)?.life.host ?? hostOf(address);
      if (this.#links.isCut(life.host, host) || this.#links.isCut(host, life.host)) {
        if (this.#world.nowMs - startedAtMs >= connectTimeoutMs) refuse("connect ETIMEDOUT");
        else this.#world.after(undefined, connectRetryMs, "knock", knock);
        return;
      }
      const listener = this.listenerAt(address);
      if (listener === undefined) refuse("connect ECONNREFUSED");
      else this.#accept(attempt, listener, { life, method }, accept);
    };
    this.#world.after(undefined, this.#delayMs(life.host, hostOf(address)), "knock", knock);
    return attempt;
  }

  #accept(
    attempt: Attempt,
    listener: Listener,
    { life, method }: { life: Life; method: MethodName },
    accept: Accept,
  ): void {
    const codecs = methodCodecs(method);
    const connection = new Connection(
      this.#ground,
      method,
      { life, encode: codecs.request, decode: codecs.response },
      { life: listener.life, encode: codecs.response, decode: codecs.request },
    );
    this.#connections.add(connection);
    const { world } = this;
    world.trace.add(world.nowMs, method, life.name, listener.life.name);
    world.after(listener.life, 0, "accept", () => {
      let refusal: MusterError | undefined;
      try {
        refusal = accept(listener, connection);
      } catch (error) {
        if (!(error instanceof MusterError)) throw error;
        refusal = error;
      }
      if (refusal !== undefined) connection.server.finish(refusal);
      attempt.connected(connection);
    });
    // Should the server die before it accepts, the caller is told like everybody who is connected to it.
    connection.client.listen(attempt.inlet);
  }

  get world(): World {
    return this.#world;
  }

  #delayMs(from: string, to: string): number {
    return this.#links.delayMs(from, to);
  }

  #watch(life: Life): void {
    if (this.#watched.has(life)) return;
    this.#watched.add(life);
    this.#world.onEnd(life, (death) => this.#ended(life, death));
  }

  #ended(life: Life, death: Death): void {
    this.#watched.delete(life);
    for (const connection of [...this.#connections]) {
      const end = connection.endOf(life);
      if (end.life !== life || end.isOver) continue;
      const { links } = this.#ground;
      const { host } = end.peer.life;
      end.abandon();
      end.pipe.break();
      const noticeMs =
        death === "killed"
          ? links.delayMs(life.host, host)
          : links.anyDelayMs(life.host, host, keepaliveMs.first, keepaliveMs.last);
      if (!end.peer.isOver) connection.forsake(end.peer, noticeMs);
    }
  }

  /** Pings do not come back over a link that is cut: both ends find out, each at its time, unless it heals before. */
  #cut(from: string, to: string): void {
    const number = this.#links.cutNumber(from, to);
    for (const connection of this.#connections) {
      if (!isBetween(connection, from, to)) continue;
      for (const end of [connection.client, connection.server]) {
        if (end.isOver) continue;
        const noticeMs = this.#links.anyDelayMs(from, to, keepaliveMs.first, keepaliveMs.last);
        this.#world.after(end.life, noticeMs, "keepalive", () => {
          if (!this.#links.isCut(from, to) || this.#links.cutNumber(from, to) !== number || end.isOver) return;
          end.fail(new MusterError("unavailable", "the peer does not answer pings"));
          if (!end.peer.isOver) connection.forsake(end.peer, keepaliveMs.first);
        });
      }
    }
  }

  #healed(from: string, to: string): void {
    for (const connection of this.#connections)
      for (const end of [connection.client, connection.server])
        if (end.life.host === from && end.peer.life.host === to) end.pipe.flush();
  }
}

/** The client's outlet: holds what is sent back until there is a connection. */
class Attempt implements Outlet<unknown> {
  readonly inlet: Inlet<unknown>;
  #connection: Connection | undefined;
  #waiting: unknown[] = [];
  #ending: { error: MusterError | undefined } | undefined;
  #isGone = false;
  isOver = false;

  constructor(inlet: Inlet<unknown>) {
    this.inlet = inlet;
  }

  send(message: unknown): void {
    if (this.#connection !== undefined) this.#connection.client.send(message);
    else if (this.#ending === undefined && !this.isOver) this.#waiting.push(message);
  }

  ready(): boolean {
    if (this.#connection !== undefined) return this.#connection.client.outlet().ready();
    return !this.isOver && this.#ending === undefined;
  }

  end(error?: MusterError): void {
    if (this.#connection !== undefined) this.#connection.client.finish(error);
    else this.#ending ??= { error };
  }

  /** Ends without a word to the caller. */
  leave(): void {
    this.#isGone = true;
    this.isOver = true;
    this.#connection?.client.leave();
  }

  connected(connection: Connection): void {
    this.#connection = connection;
    if (this.#isGone) {
      connection.client.leave();
      return;
    }
    for (const message of this.#waiting.splice(0)) connection.client.send(message);
    if (this.#ending !== undefined) connection.client.finish(this.#ending.error);
  }

  refuse(error: MusterError): void {
    if (this.isOver) return;
    this.isOver = true;
    this.inlet.closed(error);
  }
}

function unsupported(method: MethodName): MusterError {
  return new MusterError("unsupported", `the server does not implement ${method}`);
}

function peerOf(life: Life): Peer {
  return { address: life.name, principal: "local" };
}

function isBetween(connection: Connection, from: string, to: string): boolean {
  const client = connection.client.life.host;
  const server = connection.server.life.host;
  return (client === from && server === to) || (client === to && server === from);
}

/** The name part of "host:port". */
function hostOf(address: string): string {
  return address.slice(0, address.lastIndexOf(":"));
}

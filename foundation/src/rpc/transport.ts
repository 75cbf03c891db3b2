import type { MusterError, Result } from "../errors/muster-error.ts";
import type { Cancel } from "../time/clock.ts";
import type { MethodName, RequestOf, ResponseOf } from "./method.ts";

/** The sending half of one end of a stream. */
export interface Outlet<M> {
  /** Hands a message over. Never blocks, never throws; after the end it does nothing. */
  send(message: M): void;
  /** False while the peer or the network is behind: hold back until `drained`, or memory grows without bound. */
  ready(): boolean;
  /** Ends the stream, for a reason if there is one. */
  end(error?: MusterError): void;
}

/** The receiving half of one end of a stream. */
export interface Inlet<M> {
  receive(message: M): void;
  /** The outlet is ready again. */
  drained(): void;
  /** The stream is over, called once; without an error if the peer ended it in good order. */
  closed(error: MusterError | undefined): void;
}

/** Who is at the other end. */
export interface Peer {
  /** Address of the other end, for people and logs. */
  readonly address: string;
  /** Whom it authenticated as; "local" on loopback, where nobody has to. */
  readonly principal: string;
}

/** How components call each other: over gRPC in production, through the simulated network in tests. */
export interface Transport {
  /** Opens a stream whose both sides may stream. Failure to connect comes as `inlet.closed`, after the return. */
  open<M extends MethodName>(method: M, address: string, inlet: Inlet<ResponseOf<M>>): Outlet<RequestOf<M>>;
  /** One request, one answer. The answer comes after the return; after cancelling it does not come. */
  call<M extends MethodName>(
    method: M,
    address: string,
    request: RequestOf<M>,
    timeoutMs: number,
    done: (result: Result<ResponseOf<M>>) => void,
  ): Cancel;
  /** One request, many answers. */
  follow<M extends MethodName>(method: M, address: string, request: RequestOf<M>, inlet: Inlet<ResponseOf<M>>): Cancel;
}

/** Serves a method whose both sides stream. Called when a peer opens it. */
export type StreamHandler<M extends MethodName> = (outlet: Outlet<ResponseOf<M>>, peer: Peer) => Inlet<RequestOf<M>>;

/** Serves one request; the result may be given at once or later. Returns what to do if the caller leaves. */
export type CallHandler<M extends MethodName> = (
  request: RequestOf<M>,
  peer: Peer,
  respond: (result: Result<ResponseOf<M>>) => void,
) => Cancel | undefined;

/** Serves one request with many answers. `drained` and `closed` of the returned inlet are called, `receive` is not. */
export type FollowHandler<M extends MethodName> = (
  request: RequestOf<M>,
  outlet: Outlet<ResponseOf<M>>,
  peer: Peer,
) => Inlet<never>;

/** What a component serves, by method. The same table is served over gRPC and in the simulator. */
export type Handlers = {
  readonly [M in MethodName]?: HandlerOf<M>;
};

/** The handler that fits a method, by which of its sides stream. */
export type HandlerOf<M extends MethodName> =
  StreamShape<M> extends "both"
    ? StreamHandler<M>
    : StreamShape<M> extends "response"
      ? FollowHandler<M>
      : CallHandler<M>;

type Table = typeof import("@muster/proto").methods;
type StreamShape<M extends MethodName> = Table[M]["requestStream"] extends true
  ? "both"
  : Table[M]["responseStream"] extends true
    ? "response"
    : "none";

import { Client, type ClientDuplexStream, Metadata, type ServiceError, status } from "@grpc/grpc-js";
import { type Cancel, type Clock, MusterError, type Result } from "@muster/foundation";
import type { EtcdSettings } from "./settings.ts";
import { type Calls, methods, type Streams } from "./wire.ts";

/** A member that does not answer so long is left for the next. */
export const attemptTimeoutMs = 2_000;
/** What may be asked again is asked of one member after the other for so long. */
const insistMs = 5_000;
/** Between two attempts. */
const retryMs = 100;
/** Bytes of an answer that we take: a page of the largest values, and to spare. */
const answerBytesMax = 160 * 1024 * 1024;

/** What is asked again may be done twice; what is asked once may have been done although the answer is an error. */
export type Repeat = "again" | "once";

/** Why an answer did not come, in etcd's own terms. */
export interface Failure {
  readonly code: status;
  readonly details: string;
}

/** Codes by which etcd says that it has not done what it was asked. */
const refusals = new Set<status>([
  status.INVALID_ARGUMENT,
  status.NOT_FOUND,
  status.ALREADY_EXISTS,
  status.PERMISSION_DENIED,
  status.RESOURCE_EXHAUSTED,
  status.FAILED_PRECONDITION,
  status.OUT_OF_RANGE,
  status.UNAUTHENTICATED,
]);

export function isRefusal(failure: Failure): boolean {
  return refusals.has(failure.code);
}

/** The failure for people: what is wrong, and what to do where that is known. */
export function errorOf({ code, details }: Failure, endpoint: string): MusterError {
  const text = `etcd at ${endpoint}: ${details}`;
  if (/database space exceeded/.test(details))
    return new MusterError(
      "unavailable",
      `${text}: compact and defragment it, then disarm its alarm (etcdctl alarm disarm)`,
    );
  if (code === status.PERMISSION_DENIED)
    return new MusterError("forbidden", `${text}: its user needs the right to read and write below the store's root`);
  if (code === status.UNAUTHENTICATED || /auth|user name/i.test(details))
    return new MusterError("unauthenticated", `${text}: check --etcd-user and the file of its password`);
  if (isRefusal({ code, details })) return new MusterError("wrong-state", text);
  return new MusterError("unavailable", text);
}

export type CallResult<T> = Result<T> & { readonly failure?: Failure };

/**
 * Calls to whichever member of etcd answers. One connection at a time; when a member fails, every stream to it is ended,
 * and all goes on with the next. Headers tell how far etcd is: `revision` is the highest seen, 0 before the first.
 */
export class EtcdConnection {
  readonly #clock: Clock;
  readonly #settings: EtcdSettings;
  /** What to tell each stream when its member is left. */
  readonly #streams = new Map<ClientDuplexStream<unknown, unknown>, (failure: Failure) => void>();
  #at = 0;
  #client: Client | undefined;
  #token: string | undefined;
  #isClosed = false;
  revision = 0;

  constructor(clock: Clock, settings: EtcdSettings) {
    this.#clock = clock;
    this.#settings = settings;
  }

  get endpoint(): string {
    return this.#settings.endpoints[this.#at] ?? "";
  }

  call<M extends keyof Calls>(
    name: M,
    request: Calls[M][0],
    repeat: Repeat,
    done: (result: CallResult<Calls[M][1]>) => void,
    timeoutMs = attemptTimeoutMs,
  ): void {
    const beganMs = this.#clock.monotonicMs();
    let hasRenewed = false;
    const attempt = (): void => {
      this.#authenticated((refused) => {
        if (refused) return settle(refused);
        this.#once(name, request, timeoutMs, settle);
      });
    };
    const settle = (outcome: { value: Calls[M][1] } | { failure: Failure; endpoint: string }): void => {
      if ("value" in outcome) {
        done({ ok: true, value: outcome.value });
        return;
      }
      const { failure, endpoint } = outcome;
      // A token ends with the member that gave it, or by time: what it was refused for was not done.
      if (failure.code === status.UNAUTHENTICATED && this.#token !== undefined && !hasRenewed) {
        hasRenewed = true;
        this.#token = undefined;
        attempt();
        return;
      }
      if (!isRefusal(failure)) this.#leave(endpoint);
      const isLate = this.#clock.monotonicMs() - beganMs >= insistMs;
      if (repeat === "again" && !isRefusal(failure) && !isLate && !this.#isClosed) {
        this.#clock.after(retryMs, attempt);
        return;
      }
      done({ ok: false, error: errorOf(failure, endpoint), failure });
    };
    attempt();
  }

  /** Opens a stream and sends one message. `closed` is called once, unless the stream or all of this was ended by us. */
  stream<M extends keyof Streams>(
    name: M,
    request: Streams[M][0],
    receive: (message: Streams[M][1]) => void,
    closed: (error: MusterError) => void,
  ): Cancel {
    let call: ClientDuplexStream<unknown, unknown> | undefined;
    let isOver = this.#isClosed;
    if (isOver) return () => {};
    const end = (failure: Failure, endpoint: string): void => {
      if (isOver) return;
      isOver = true;
      if (call) this.#streams.delete(call);
      if (failure.code === status.UNAUTHENTICATED) this.#token = undefined;
      else if (!isRefusal(failure) && failure.code !== status.CANCELLED) this.#leave(endpoint);
      closed(errorOf(failure, endpoint));
    };
    this.#authenticated((refused) => {
      if (isOver) return;
      if (refused) return end(refused.failure, refused.endpoint);
      const { endpoint } = this;
      const { path, serialize, deserialize } = methods[name];
      const metadata = this.#metadata();
      // A member that has lost the others is to say so, instead of waiting for them in silence.
      metadata.set("hasleader", "true");
      call = this.#clientOf().makeBidiStreamRequest(path, serialize as never, deserialize, metadata);
      this.#streams.set(call, (failure) => end(failure, endpoint));
      call.on("data", (message: Streams[M][1]) => {
        if (isOver) return;
        this.#see(message.header);
        receive(message);
      });
      call.on("error", (error: ServiceError) => end(failureOf(error), endpoint));
      call.on("end", () => end({ code: status.UNAVAILABLE, details: "the stream has ended" }, endpoint));
      call.write(request);
    });
    return () => {
      isOver = true;
      if (!call) return;
      this.#streams.delete(call);
      call.cancel();
    };
  }

  /** The member in use does not answer: on with the next. */
  forsake(): void {
    this.#leave(this.endpoint);
  }

  close(): void {
    this.#isClosed = true;
    this.#hangUp();
  }

  #once<M extends keyof Calls>(
    name: M,
    request: Calls[M][0],
    timeoutMs: number,
    settle: (outcome: { value: Calls[M][1] } | { failure: Failure; endpoint: string }) => void,
  ): void {
    const { endpoint } = this;
    if (this.#isClosed) {
      settle({ failure: { code: status.UNAVAILABLE, details: "the connection is closed" }, endpoint });
      return;
    }
    const { path, serialize, deserialize } = methods[name];
    this.#clientOf().makeUnaryRequest(
      path,
      serialize as never,
      deserialize as (bytes: Buffer) => Calls[M][1],
      request,
      this.#metadata(),
      { deadline: Date.now() + timeoutMs },
      (error, value) => {
        if (error || value === undefined) return settle({ failure: failureOf(error as ServiceError), endpoint });
        if ("header" in value) this.#see(value.header);
        settle({ value });
      },
    );
  }

  /** Gets a token, if etcd asks who we are and there is none. */
  #authenticated(done: (refused: { failure: Failure; endpoint: string } | undefined) => void): void {
    const { user } = this.#settings;
    if (user === undefined || this.#token !== undefined) {
      done(undefined);
      return;
    }
    this.#once("authenticate", user, attemptTimeoutMs, (outcome) => {
      if ("value" in outcome) this.#token = outcome.value.token;
      done("value" in outcome ? undefined : outcome);
    });
  }

  #metadata(): Metadata {
    const metadata = new Metadata();
    if (this.#token !== undefined) metadata.set("token", this.#token);
    return metadata;
  }

  #see(header: { readonly revision: number } | null): void {
    if (header && header.revision > this.revision) this.revision = header.revision;
  }

  #clientOf(): Client {
    this.#client ??= new Client(this.endpoint, this.#settings.credentials, {
      "grpc.keepalive_time_ms": 10_000,
      "grpc.keepalive_timeout_ms": 5_000,
      "grpc.enable_retries": 0,
      "grpc.use_local_subchannel_pool": 1,
      "grpc.max_receive_message_length": answerBytesMax,
      "grpc.max_send_message_length": answerBytesMax,
      "grpc.initial_reconnect_backoff_ms": 100,
      "grpc.max_reconnect_backoff_ms": 1_000,
      "grpc.service_config_disable_resolution": 1,
    });
    return this.#client;
  }

  /** On with the next member, unless that was done already. */
  #leave(endpoint: string): void {
    const { endpoints } = this.#settings;
    if (endpoint !== this.endpoint || endpoints.length < 2 || this.#isClosed) return;
    this.#hangUp();
    this.#at = (this.#at + 1) % endpoints.length;
  }

  #hangUp(): void {
    const client = this.#client;
    this.#client = undefined;
    const streams = [...this.#streams];
    this.#streams.clear();
    for (const [stream, tell] of streams) {
      if (!this.#isClosed) tell(left);
      stream.cancel();
    }
    client?.close();
  }
}

const left: Failure = { code: status.CANCELLED, details: "the member was left for another" };

function failureOf(error: ServiceError): Failure {
  return { code: error.code ?? status.UNKNOWN, details: error.details || error.message };
}

import {
  batchShape,
  type Cancel,
  codecOf,
  Masters,
  type MessageName,
  MusterError,
  Outbox,
  type Outlet,
} from "@muster/foundation";
import {
  type JobCall,
  type JobReply,
  type Messages,
  methods,
  type ServeRequest,
  type ServeResponse,
} from "@muster/proto";
import { Backoff } from "../connection/backoff.ts";
import { HeaderCheck } from "../connection/headers.ts";
import type { Runtime } from "../runtime/runtime.ts";

/** Calls that may be open at once; more are refused with `too-many`. */
export const jobCallsMax = 1_000;

type Table = typeof methods;
type JobsMethod = Extract<keyof Table, `Jobs.${string}`>;

/** What a framework can serve: "Validate", "Plan", "Run", "Stop", "List", "Get", "Watch", "History" and so on. */
export type JobMethod = Exclude<JobsMethod extends `Jobs.${infer Name}` ? Name : never, "Serve">;

type RequestOfJob<M extends JobMethod> = Messages[Table[`Jobs.${M}`]["request"]];
type ResponseOfJob<M extends JobMethod> = Messages[Table[`Jobs.${M}`]["response"]];

/** Answers one call. After its end, after the caller has left and after the deadline, everything is ignored. */
export interface Replier<T> {
  /** The answer, or with `Watch` one of several. */
  send(message: T): void;
  /** No more answers. A call with one answer ends with it. */
  end(): void;
  /** It can't be done. */
  refuse(error: MusterError): void;
}

export interface JobCaller {
  readonly principal: string;
  /** The caller waits so long. 0: without end. */
  readonly deadlineMs: number;
}

/** What a framework does with calls about its jobs, by method. May throw a MusterError, which refuses the call. */
export type JobHandlers = {
  readonly [M in JobMethod]?: (
    request: RequestOfJob<M>,
    reply: Replier<ResponseOfJob<M>>,
    caller: JobCaller,
    // biome-ignore lint/suspicious/noConfusingVoidType: handlers of single answers return nothing
  ) => Cancel | undefined | void;
};

/** The framework's side of `Jobs`: takes the calls that the master relays. It reconnects by itself. */
export interface JobServer {
  /** Opens the stream, or opens it anew if it was lost. To be called whenever the scheduler has subscribed. */
  announce(frameworkId: string): void;
  stop(): void;
}

export interface JobServerConfig {
  readonly address: string | readonly string[];
  readonly jobTypes: readonly string[];
}

const serveShape = batchShape<ServeRequest>(["announcement", "replies"], () => ({ announcement: null, replies: [] }));
const noBytes = Buffer.alloc(0);

export function createJobServer(runtime: Runtime, config: JobServerConfig, handlers: JobHandlers): JobServer {
  return new Server(runtime, config, handlers);
}

interface OpenCall {
  readonly callId: number;
  readonly outbox: Outbox<ServeRequest>;
  cancelDeadline: Cancel | undefined;
  cancelWork: Cancel | undefined;
  isOver: boolean;
}

class Server implements JobServer {
  readonly #runtime: Runtime;
  readonly #config: JobServerConfig;
  readonly #handlers: JobHandlers;
  readonly #masters: Masters;
  readonly #backoff: Backoff;
  readonly #headers = new HeaderCheck();
  readonly #calls = new Map<number, OpenCall>();
  #frameworkId = "";
  #outlet: Outlet<ServeRequest> | undefined;
  #outbox: Outbox<ServeRequest> | undefined;
  #isFlushDue = false;
  #isStopped = false;
  #cancelRetry: Cancel | undefined;

  constructor(runtime: Runtime, config: JobServerConfig, handlers: JobHandlers) {
    this.#runtime = runtime;
    this.#config = config;
    this.#handlers = handlers;
    this.#masters = new Masters(config.address);
    this.#backoff = new Backoff(runtime.random.stream("jobs"));
  }

  announce(frameworkId: string): void {
    this.#isStopped = false;
    if (this.#outlet !== undefined && this.#frameworkId === frameworkId) return;
    this.#frameworkId = frameworkId;
    this.#outlet?.end();
    this.#cancelRetry?.();
    this.#dropCalls();
    this.#connect();
  }

  stop(): void {
    this.#isStopped = true;
    this.#cancelRetry?.();
    this.#outbox?.flush();
    this.#outlet?.end();
    this.#outlet = undefined;
    this.#outbox = undefined;
    this.#dropCalls();
  }

  #connect(): void {
    this.#cancelRetry = undefined;
    this.#headers.reconnected();
    const outlet: Outlet<ServeRequest> = this.#runtime.transport.open("Jobs.Serve", this.#masters.current, {
      receive: (message) => {
        if (this.#outlet === outlet) this.#receive(message);
      },
      drained: () => {
        if (this.#outlet === outlet) this.#outbox?.drained();
      },
      closed: (error) => {
        if (this.#outlet === outlet) this.#lost(error);
      },
    });
    this.#outlet = outlet;
    this.#outbox = new Outbox(outlet, serveShape);
    this.#outbox.add("announcement", { frameworkId: this.#frameworkId, jobTypes: [...this.#config.jobTypes] });
    this.#outbox.flush();
  }

  #lost(error: MusterError | undefined): void {
    this.#outlet = undefined;
    this.#outbox = undefined;
    this.#dropCalls();
    if (this.#isStopped) return;
    this.#masters.next(error);
    const delayMs = this.#backoff.nextMs(error);
    this.#runtime.log.debug(
      { reason: error?.message ?? "closed by the master", delayMs },
      "job calls end, will try again",
    );
    this.#cancelRetry = this.#runtime.clock.after(delayMs, () => this.#connect());
  }

  #receive(message: ServeResponse): void {
    const verdict = this.#headers.judge(message.header);
    if (verdict === "foreign") return;
    if (verdict !== "fresh") {
      this.#outlet?.end(
        new MusterError("unavailable", "a message of the master is missing or comes from a deposed one"),
      );
      this.#lost(undefined);
      return;
    }
    this.#backoff.reset();
    for (const call of message.calls) this.#take(call);
    for (const callId of message.cancelledCallIds) {
      const call = this.#calls.get(callId);
      if (call) this.#over(call);
    }
  }

  #take(call: JobCall): void {
    const outbox = this.#outbox;
    if (outbox === undefined) return;
    const open: OpenCall = {
      callId: call.callId,
      outbox,
      cancelDeadline: undefined,
      cancelWork: undefined,
      isOver: false,
    };
    const method = methods[`Jobs.${call.method}` as JobsMethod] as Table[JobsMethod] | undefined;
    const handler = Object.hasOwn(this.#handlers, call.method) ? this.#handlers[call.method as JobMethod] : undefined;
    if (method === undefined || handler === undefined) {
      this.#refuse(open, new MusterError("unsupported", `this framework does not serve ${call.method}`));
      return;
    }
    if (this.#calls.size >= jobCallsMax) {
      this.#refuse(open, new MusterError("too-many", `${jobCallsMax} calls are open`, { retryAfterMs: 1_000 }));
      return;
    }
    this.#calls.set(call.callId, open);
    if (call.deadlineMs > 0)
      open.cancelDeadline = this.#runtime.clock.after(call.deadlineMs, () =>
        this.#refuse(open, new MusterError("too-late", `no answer within ${call.deadlineMs} ms`)),
      );
    try {
      const request = codecOf(method.request as MessageName).decode(call.payload);
      const caller = { principal: call.principal, deadlineMs: call.deadlineMs };
      const work = (handler as (request: unknown, reply: Replier<unknown>, caller: JobCaller) => Cancel | undefined)(
        request,
        this.#replier(open, method.response as MessageName, method.responseStream),
        caller,
      );
      if (!open.isOver) open.cancelWork = work;
      else work?.();
    } catch (error) {
      const known = MusterError.from(error);
      if (known.kind === "internal") this.#runtime.log.error({ error, method: call.method }, "a job call failed");
      this.#refuse(open, known);
    }
  }

  #replier(open: OpenCall, response: MessageName, isStream: boolean): Replier<unknown> {
    const codec = codecOf(response);
    return {
      send: (message) => {
        if (open.isOver) return;
        this.#reply(open, {
          callId: open.callId,
          payload: codec.encode(message as never),
          refusal: null,
          end: !isStream,
        });
        if (!isStream) this.#over(open);
      },
      end: () => {
        if (open.isOver) return;
        this.#reply(open, { callId: open.callId, payload: noBytes, refusal: null, end: true });
        this.#over(open);
      },
      refuse: (error) => this.#refuse(open, error),
    };
  }

  #refuse(open: OpenCall, error: MusterError): void {
    if (open.isOver) return;
    const { kind, message, field = "", retryAfterMs = 0 } = error;
    const refusal = { kind, message, field, retryAfterMs };
    this.#reply(open, { callId: open.callId, payload: noBytes, refusal, end: true });
    this.#over(open);
  }

  #reply(open: OpenCall, reply: JobReply): void {
    open.outbox.add("replies", reply, 64 + reply.payload.length);
    if (this.#isFlushDue) return;
    this.#isFlushDue = true;
    this.#runtime.clock.after(0, () => {
      this.#isFlushDue = false;
      this.#outbox?.flush();
    });
  }

  #over(open: OpenCall): void {
    if (open.isOver) return;
    open.isOver = true;
    this.#calls.delete(open.callId);
    open.cancelDeadline?.();
    open.cancelWork?.();
  }

  #dropCalls(): void {
    for (const call of [...this.#calls.values()]) this.#over(call);
  }
}

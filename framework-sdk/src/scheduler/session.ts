import { type Cancel, type ErrorKind, Masters, MusterError, Outbox, type Outlet } from "@muster/foundation";
import type { FrameworkInfo, Subscribed, SubscribeRequest, SubscribeResponse } from "@muster/proto";
import { Backoff, reconnectLimits } from "../connection/backoff.ts";
import { HeaderCheck } from "../connection/headers.ts";
import type { Runtime } from "../runtime/runtime.ts";
import { createStateClient } from "../state/state-client.ts";
import { durableIdentity, type Identity, passingIdentity } from "./identity.ts";
import { requestShape } from "./messages.ts";
import type { SchedulerConfig } from "./types.ts";

/**
 * What a framework has decided in one turn waits in its own memory: accepts of tens of thousands of tasks are no sign of
 * a master that does not read.
 */
const outboxLimits = { queuedBytesMax: 64 * 1024 * 1024 };
/** So many heartbeats may be missing before the connection counts as dead. */
const heartbeatsMissedMax = 3;
/** A session that is not open after so long is tried anew. */
const subscribeTimeoutMs = 10_000;

/** Ends of a session that say that the next will end so too, for a while. */
const refusals: ReadonlySet<ErrorKind> = new Set([
  "invalid",
  "unauthenticated",
  "forbidden",
  "exists",
  "wrong-state",
  "unsupported",
]);

/** Who speaks in a framework's sessions. */
export interface SessionListener {
  /** A connection begins: what the framework says of itself on it. */
  connecting(): { readonly framework: FrameworkInfo; readonly suppressedRoles: string[] };
  /** The master has taken the framework in: from now on it may be asked. */
  opened(subscribed: Subscribed): void;
  /** A message of the master's, in order and of the leading one. */
  received(message: SubscribeResponse): void;
  /** The connection is over: what was said on it gets no answer. */
  ended(): void;
  /** A session that was open is over, and the next will be tried by itself. */
  disconnected(error: MusterError | undefined): void;
}

/**
 * A framework's connection with the master that leads, made again whenever it ends: with the framework's id, a look at
 * the order of messages, at silence, and a pause that grows while it fails. What is said on it is batched by turn.
 */
export class Session {
  readonly #runtime: Runtime;
  readonly #listener: SessionListener;
  readonly #masters: Masters;
  readonly #backoff: Backoff;
  readonly #identity: Identity;
  readonly #headers = new HeaderCheck();
  /** They end with the connection. */
  readonly #timers = new Set<Cancel>();
  #outlet: Outlet<SubscribeRequest> | undefined;
  #outbox: Outbox<SubscribeRequest> | undefined;
  #isFlushDue = false;
  #isStarted = false;
  #isOpen = false;
  #frameworkId: string | undefined;
  #lastHeardMs = 0;
  #cancelNext: Cancel | undefined;

  constructor(runtime: Runtime, config: SchedulerConfig, listener: SessionListener) {
    const { clock, random } = runtime;
    this.#runtime = runtime;
    this.#listener = listener;
    this.#masters = new Masters(config.address);
    this.#backoff = new Backoff(random.stream("scheduler"));
    this.#identity =
      config.durable === false
        ? passingIdentity(clock, random.stream("identity"))
        : durableIdentity(
            clock,
            random.stream("identity"),
            createStateClient(runtime, { address: config.address, framework: config.framework.name }),
          );
  }

  /** The master has taken the framework in, and the connection stands. */
  get isOpen(): boolean {
    return this.#isOpen;
  }

  get frameworkId(): string | undefined {
    return this.#frameworkId;
  }

  /** Once begun it goes on by itself. */
  start(): void {
    if (this.#isStarted) return;
    this.#isStarted = true;
    this.#identify();
  }

  /** Ends it for good, once what was said is sent. */
  stop(): void {
    this.#isStarted = false;
    this.#cancelNext?.();
    this.#endTimers();
    this.#outbox?.flush();
    this.#outlet?.end();
    this.#outlet = undefined;
    this.#outbox = undefined;
    this.#isOpen = false;
  }

  /** Says something in this turn's message; without a connection nothing. `bytes` is about its size on the wire. */
  add: Outbox<SubscribeRequest>["add"] = (field, item, bytes) => this.#outbox?.add(field, item, bytes);

  /** What was added goes out at the end of the turn. */
  flushSoon(): void {
    if (this.#isFlushDue || this.#outbox === undefined) return;
    this.#isFlushDue = true;
    this.#runtime.clock.after(0, () => {
      this.#isFlushDue = false;
      this.#outbox?.flush();
    });
  }

  /** Calls back later, unless the connection has ended by then. */
  after(delayMs: number, wake: () => void): void {
    const cancel = this.#runtime.clock.after(delayMs, () => {
      this.#timers.delete(cancel);
      wake();
    });
    this.#timers.add(cancel);
  }

  #identify(): void {
    this.#cancelNext = this.#identity.obtain((frameworkId) => {
      this.#frameworkId = frameworkId;
      this.#connect();
    });
  }

  #connect(): void {
    const { clock, transport } = this.#runtime;
    this.#headers.reconnected();
    const { framework, suppressedRoles } = this.#listener.connecting();
    let isOver = false;
    const outlet: Outlet<SubscribeRequest> = transport.open("Scheduling.Subscribe", this.#masters.current, {
      receive: (message) => {
        if (!isOver && this.#outlet === outlet) this.#receive(message);
      },
      drained: () => {
        if (!isOver && this.#outlet === outlet) this.#outbox?.drained();
      },
      closed: (error) => {
        if (isOver || this.#outlet !== outlet) return;
        isOver = true;
        this.#lost(error);
      },
    });
    this.#outlet = outlet;
    this.#outbox = new Outbox(outlet, requestShape, outboxLimits);
    const frameworkId = this.#frameworkId ?? "";
    this.#outbox.add("subscription", { framework, frameworkId, suppressedRoles, epochSeen: this.#headers.epoch });
    this.#outbox.flush();
    this.#lastHeardMs = clock.monotonicMs();
    this.#watchSilence(subscribeTimeoutMs);
  }

  /** One timer a session, not one a message. */
  #watchSilence(limitMs: number): void {
    const { clock } = this.#runtime;
    const leftMs = this.#lastHeardMs + limitMs - clock.monotonicMs();
    this.after(Math.max(leftMs, 1), () => {
      if (clock.monotonicMs() - this.#lastHeardMs < limitMs) return this.#watchSilence(limitMs);
      this.#giveUp(
        new MusterError("unavailable", `the master at ${this.#masters.current} was silent for ${limitMs} ms`),
      );
    });
  }

  #receive(message: SubscribeResponse): void {
    const verdict = this.#headers.judge(message.header);
    if (verdict === "foreign") return;
    if (verdict !== "fresh") {
      const why = verdict === "deposed" ? "a deposed master answers" : "a message of the master is missing";
      this.#giveUp(new MusterError("unavailable", why));
      return;
    }
    this.#lastHeardMs = this.#runtime.clock.monotonicMs();
    if (message.subscribed) this.#opened(message.subscribed);
    this.#listener.received(message);
  }

  #opened(subscribed: Subscribed): void {
    const { frameworkId, clusterId, heartbeatIntervalMs } = subscribed;
    this.#isOpen = true;
    this.#frameworkId = frameworkId;
    this.#backoff.reset();
    this.#endTimers();
    this.#watchSilence(Math.max(heartbeatIntervalMs, 1_000) * heartbeatsMissedMax);
    this.#runtime.log.info({ frameworkId, clusterId }, "subscribed");
    this.#listener.opened(subscribed);
  }

  #giveUp(error: MusterError): void {
    this.#outlet?.end(error);
    this.#lost(error);
  }

  #lost(error: MusterError | undefined): void {
    const wasOpen = this.#isOpen;
    this.#outlet = undefined;
    this.#outbox = undefined;
    this.#isOpen = false;
    this.#endTimers();
    if (!this.#isStarted) return;
    this.#listener.ended();
    this.#masters.next(error);
    const isOver = error?.kind === "wrong-state" && error.field === "subscription.framework_id";
    if (isOver && this.#frameworkId !== undefined) this.#identity.isOver(this.#frameworkId);
    // What a refusal says stays true for a while: asking again at once would only burden the master.
    const isRefused = error !== undefined && refusals.has(error.kind) && !isOver;
    const delayMs = isRefused ? reconnectLimits.lastMs : this.#backoff.nextMs(error);
    const level = wasOpen || isRefused ? "warn" : "debug";
    this.#runtime.log[level](
      { reason: error?.message ?? "closed by the master", delayMs },
      "session ended, will try again",
    );
    this.#cancelNext = this.#runtime.clock.after(delayMs, () => this.#identify());
    if (wasOpen) this.#listener.disconnected(error);
  }

  #endTimers(): void {
    for (const cancel of this.#timers) cancel();
    this.#timers.clear();
  }
}

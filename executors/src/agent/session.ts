import {
  batchShape,
  type Cancel,
  type Clock,
  emptyMessage,
  isStandby,
  type Log,
  Masters,
  MusterError,
  Outbox,
  type Random,
  standbyRetryMs,
  type Transport,
} from "@muster/foundation";
import type {
  AgentOperationResult,
  ConnectRequest,
  ConnectResponse,
  Registration,
  RelayedMessage,
  TaskReport,
  TaskStatus,
} from "@muster/proto";

export const reconnectDelayMsFirst = 250;
export const reconnectDelayMsMax = 10_000;
/** A master that has not registered the agent by then is left for another. */
export const registerTimeoutMs = 30_000;
/** Pings of the master that may fail to come before it is taken for lost. */
export const pingsMissedMax = 5;
/** How long an agent that leaves waits for the master to have heard it. */
export const goodbyeMsMax = 500;
/** With more than this waiting for the master, messages of custom executors are dropped. */
export const executorMessagesQueuedBytesMax = 1024 * 1024;
/** Messages that wait while a new epoch is made durable. */
export const heldMessagesMax = 1_024;

const shape = batchShape<ConnectRequest>(
  [
    "registration",
    "tasks",
    "tasksComplete",
    "statuses",
    "update",
    "pong",
    "leaving",
    "executorMessages",
    "operationResults",
  ],
  () => emptyMessage("ConnectRequest"),
);

export interface SessionEvents {
  /** What is told at the beginning of a session. */
  greeting(): { registration: Registration; tasks: readonly TaskReport[] };
  epochSeen(): number;
  /** Makes a higher epoch durable; `epochSettled` is called then. */
  keepEpoch(epoch: number): void;
  message(message: ConnectResponse): void;
  /** The master does not want this agent any more. */
  dismissed(reason: string): void;
  disconnected(): void;
  /** Something waits to be flushed at the end of this tick. */
  changed(): void;
}

export interface SessionDeps {
  readonly clock: Clock;
  readonly random: Random;
  readonly transport: Transport;
  readonly log: Log;
}

/** The agent's side of `Agents.Connect`: one stream at a time to one of the masters, anew for as long as it takes. */
export class Session {
  readonly #deps: SessionDeps;
  readonly #masters: Masters;
  readonly #events: SessionEvents;
  #outbox: Outbox<ConnectRequest> | undefined;
  /** Counts the streams: what comes from an earlier one is dropped. */
  #generation = 0;
  #delayMs = reconnectDelayMsFirst;
  #timer: Cancel | undefined;
  #isRegistered = false;
  #isStopped = false;
  #heardAtMs = 0;
  #pingIntervalMs = 0;
  #held: ConnectResponse[] | undefined;
  /** The master has heard that the agent leaves, or will not. */
  #goodbye: (() => void) | undefined;

  constructor(deps: SessionDeps, masters: readonly string[], events: SessionEvents) {
    this.#deps = deps;
    this.#masters = new Masters(masters);
    this.#events = events;
  }

  start(): void {
    this.#connect();
  }

  sendStatus(status: TaskStatus): void {
    this.#outbox?.add("statuses", status, statusBytes(status));
    this.#events.changed();
  }

  /** At most once: what can't be sent soon is dropped, so that no executor can fill the agent's own stream. */
  sendExecutorMessage(message: RelayedMessage): void {
    if (!this.#isRegistered || (this.#outbox?.queuedBytes ?? 0) > executorMessagesQueuedBytesMax) return;
    this.#outbox?.add("executorMessages", message, 64 + message.data.length);
    this.#events.changed();
  }

  sendUpdate(update: NonNullable<ConnectRequest["update"]>): void {
    if (!this.#isRegistered) return;
    this.#outbox?.add("update", update);
    this.#events.changed();
  }

  sendOperationResult(result: AgentOperationResult): void {
    this.#outbox?.add("operationResults", result, 64 + (result.refusal?.message.length ?? 0));
    this.#events.changed();
  }

  flush(): void {
    this.#outbox?.flush();
  }

  /** The new epoch is durable, or can't be made so: without it nothing may be obeyed. */
  epochSettled(isDurable: boolean): void {
    const held = this.#held;
    this.#held = undefined;
    if (!isDurable) {
      this.#drop(new MusterError("internal", "the master's epoch could not be recorded"));
      return;
    }
    const generation = this.#generation;
    for (const message of held ?? []) if (generation === this.#generation) this.#take(message);
  }

  /**
   * Ends the session for good. An agent that has ended its tasks says goodbye and waits until the master has heard it:
   * else the next master would wait for an agent that nobody starts again.
   */
  stop(isLeaving: boolean, done: () => void): void {
    this.#isStopped = true;
    this.#timer?.();
    if (!isLeaving || !this.#isRegistered || !this.#outbox) {
      this.#end();
      done();
      return;
    }
    const giveUp = this.#deps.clock.after(goodbyeMsMax, () => this.#goodbye?.());
    this.#goodbye = () => {
      this.#goodbye = undefined;
      giveUp();
      this.#end();
      done();
    };
    this.#outbox.add("leaving", true);
    this.#outbox.flush();
  }

  #end(): void {
    this.#generation++;
    this.#outbox?.end();
    this.#outbox = undefined;
  }

  #connect(): void {
    if (this.#isStopped) return;
    const address = this.#masters.current;
    const generation = ++this.#generation;
    const isCurrent = (): boolean => generation === this.#generation;
    const outlet = this.#deps.transport.open("Agents.Connect", address, {
      receive: (message) => {
        if (isCurrent()) this.#receive(message);
      },
      drained: () => {
        if (isCurrent()) this.#outbox?.drained();
      },
      closed: (error) => {
        if (isCurrent()) this.#closed(error);
      },
    });
    const outbox = new Outbox(outlet, shape);
    this.#outbox = outbox;
    const { registration, tasks } = this.#events.greeting();
    outbox.add("registration", registration, 2_000);
    for (const task of tasks) outbox.add("tasks", task, 800);
    outbox.add("tasksComplete", true);
    this.#events.changed();
    this.#timer = this.#deps.clock.after(registerTimeoutMs, () =>
      this.#drop(new MusterError("too-late", `${address} did not register the agent`)),
    );
  }

  #receive(message: ConnectResponse): void {
    this.#heardAtMs = this.#deps.clock.monotonicMs();
    if (!this.#held) {
      this.#take(message);
      return;
    }
    this.#held.push(message);
    if (this.#held.length > heldMessagesMax) this.#drop(new MusterError("too-many", "too much came at once"));
  }

  #take(message: ConnectResponse): void {
    const epoch = message.header?.epoch ?? 0;
    const seen = this.#events.epochSeen();
    if (epoch < seen) {
      this.#drop(new MusterError("stale", `a master of epoch ${epoch} was refused, ${seen} was seen`));
      return;
    }
    if (epoch > seen) {
      this.#held = [message];
      this.#events.keepEpoch(epoch);
      return;
    }
    if (message.registered) this.#registered(message.registered.pingIntervalMs);
    this.#events.message(message);
    if (message.shutDown) this.#events.dismissed(message.shutDown.reason);
    if (message.ping) this.#outbox?.add("pong", { pingNumber: message.ping.pingNumber });
    this.#events.changed();
  }

  #registered(pingIntervalMs: number): void {
    this.#isRegistered = true;
    this.#delayMs = reconnectDelayMsFirst;
    this.#pingIntervalMs = pingIntervalMs;
    this.#timer?.();
    this.#timer = undefined;
    if (pingIntervalMs > 0) this.#watchSilence();
  }

  #watchSilence(): void {
    const limitMs = this.#pingIntervalMs * pingsMissedMax;
    const silentMs = this.#deps.clock.monotonicMs() - this.#heardAtMs;
    if (silentMs >= limitMs) {
      this.#drop(new MusterError("too-late", `the master was silent for ${Math.round(silentMs)} ms`));
      return;
    }
    // Rounded up: what is left of a difference of times may be too little to move any clock.
    this.#timer = this.#deps.clock.after(Math.max(1, Math.ceil(limitMs - silentMs)), () => this.#watchSilence());
  }

  /** Leaves the present stream from our side. */
  #drop(error: MusterError): void {
    const outbox = this.#outbox;
    this.#closed(error);
    outbox?.end(error);
  }

  #closed(error: MusterError | undefined): void {
    this.#generation++;
    this.#timer?.();
    this.#outbox = undefined;
    this.#held = undefined;
    const wasRegistered = this.#isRegistered;
    this.#isRegistered = false;
    if (wasRegistered) this.#events.disconnected();
    this.#goodbye?.();
    if (this.#isStopped) return;
    const { log, random, clock } = this.#deps;
    this.#masters.next(error);
    const longestMs = isStandby(error) ? Math.min(standbyRetryMs, this.#delayMs) : this.#delayMs;
    const delayMs = longestMs * (0.5 + random.next() / 2);
    if (!isStandby(error)) this.#delayMs = Math.min(reconnectDelayMsMax, this.#delayMs * 2);
    const level = wasRegistered ? "warn" : "debug";
    log[level]({ reason: error?.message ?? "ended", delayMs: Math.round(delayMs) }, "no master, trying again");
    this.#timer = clock.after(delayMs, () => this.#connect());
  }
}

function statusBytes(status: TaskStatus): number {
  return 200 + status.message.length + (status.container?.ports.length ?? 0) * 40;
}

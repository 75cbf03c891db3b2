import {
  batchShape,
  type Cancel,
  type ErrorKind,
  emptyMessage,
  invalid,
  type MusterError,
  Outbox,
  type Outlet,
} from "@muster/foundation";
import { type AttachRequest, type AttachResponse, StatusReason, type TaskGroup, type TaskStatus } from "@muster/proto";
import { Backoff, type BackoffLimits } from "../connection/backoff.ts";
import type { Runtime } from "../runtime/runtime.ts";
import { ServedTask } from "./served-task.ts";
import type { Executor, ExecutorConfig, ExecutorHandler, ExecutorTask } from "./types.ts";
import { Unacknowledged } from "./unacknowledged.ts";

/** Bytes of one message to the framework. */
export const executorMessageBytesMax = 64 * 1024;
/** Updates that fit into the message that opens a session; the others follow it. */
const updatesPerMessageMax = 4_096;
const recoveryTimeoutMsDefault = 15 * 60_000;
const shutdownGraceMsDefault = 5_000;
/** The agent is on the same machine: it is looked for often. */
const reconnectLimits: BackoffLimits = { firstMs: 100, lastMs: 2_000 };

/** Ends of a session that say that this agent does not know the executor, and never will. */
const finalKinds: ReadonlySet<ErrorKind> = new Set(["not-found", "forbidden", "unauthenticated", "wrong-state"]);

const shape = batchShape<AttachRequest>(["subscription", "statuses", "messages"], () => emptyMessage("AttachRequest"));

/** An executor's session with its agent: it attaches, again and again, confirms nothing twice and loses nothing. */
export function createExecutor(runtime: Runtime, config: ExecutorConfig, handler: ExecutorHandler): Executor {
  return new RunningExecutor(runtime, config, handler);
}

class RunningExecutor implements Executor {
  readonly #runtime: Runtime;
  readonly #config: ExecutorConfig;
  readonly #handler: ExecutorHandler;
  readonly #backoff: Backoff;
  readonly #tasks = new Map<string, ServedTask>();
  readonly #unacknowledged = new Unacknowledged();
  #outlet: Outlet<AttachRequest> | undefined;
  #outbox: Outbox<AttachRequest> | undefined;
  #isAttached = false;
  #isFlushDue = false;
  #isStarted = false;
  #isShuttingDown = false;
  #isEnded = false;
  #awaySinceMs = 0;
  #timer: Cancel | undefined;

  constructor(runtime: Runtime, config: ExecutorConfig, handler: ExecutorHandler) {
    this.#runtime = runtime;
    this.#config = config;
    this.#handler = handler;
    this.#backoff = new Backoff(runtime.random.stream("executor"), reconnectLimits);
  }

  get tasks(): readonly ExecutorTask[] {
    return [...this.#tasks.values()].filter(({ isOver }) => !isOver);
  }

  get isAttached(): boolean {
    return this.#isAttached;
  }

  start(): void {
    if (this.#isStarted) return;
    this.#isStarted = true;
    this.#awaySinceMs = this.#runtime.clock.monotonicMs();
    this.#connect();
  }

  shutdown(): void {
    if (this.#isShuttingDown) return;
    this.#isShuttingDown = true;
    const graceMs = this.#config.shutdownGraceMs ?? shutdownGraceMsDefault;
    this.#runtime.clock.after(graceMs, () => this.#end());
    if (this.#handler.shutdown) this.#handler.shutdown(this.tasks, graceMs);
    else for (const task of this.tasks) this.#handler.kill(task, graceMs);
    this.#endIfDone();
  }

  send(data: Uint8Array | string): boolean {
    const bytes = Buffer.from(data);
    if (bytes.length > executorMessageBytesMax)
      throw invalid("data", `must have at most ${executorMessageBytesMax} bytes`);
    if (!this.#isAttached) return false;
    this.#outbox?.add("messages", bytes, bytes.length + 16);
    this.#flushSoon();
    return true;
  }

  #connect(): void {
    const { transport } = this.#runtime;
    const { address, frameworkId, executorId, token } = this.#config;
    const outlet: Outlet<AttachRequest> = transport.open("Executors.Attach", address, {
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
    const outbox = new Outbox(outlet, shape);
    this.#outbox = outbox;
    const taskIds = this.tasks.map(({ taskId }) => taskId);
    const waiting = this.#unacknowledged.all();
    const unacknowledged = waiting.slice(0, updatesPerMessageMax);
    outbox.add("subscription", { frameworkId, executorId, token, taskIds, unacknowledged });
    for (const status of waiting.slice(updatesPerMessageMax)) outbox.add("statuses", status);
    outbox.flush();
  }

  #lost(error: MusterError | undefined): void {
    const { clock, log } = this.#runtime;
    if (this.#isAttached) this.#awaySinceMs = clock.monotonicMs();
    this.#outlet = undefined;
    this.#outbox = undefined;
    this.#isAttached = false;
    if (this.#isEnded) return;
    const recoveryTimeoutMs = this.#config.recoveryTimeoutMs ?? recoveryTimeoutMsDefault;
    const isOver = clock.monotonicMs() - this.#awaySinceMs >= recoveryTimeoutMs;
    if (isOver || (error && finalKinds.has(error.kind))) {
      log.warn({ reason: error?.message ?? "closed" }, "there is no agent for this executor any more, it ends");
      // Nobody is left who could confirm an update.
      this.#isStarted = false;
      this.shutdown();
      this.#endIfDone();
      return;
    }
    const delayMs = this.#backoff.nextMs();
    log.debug({ reason: error?.message ?? "closed", delayMs }, "no agent, trying again");
    this.#timer = clock.after(delayMs, () => this.#connect());
  }

  #receive(message: AttachResponse): void {
    for (const group of message.launches) this.#launch(group);
    for (const { taskId, graceMs } of message.kills) this.#kill(taskId, graceMs);
    for (const updateId of message.acknowledgedUpdateIds) this.#settled(updateId);
    for (const data of message.messages) this.#handler.message?.(data);
    if (message.attached) {
      this.#isAttached = true;
      this.#backoff.reset();
      this.#runtime.log.debug({ agentId: message.attached.agentId }, "attached");
    }
    for (const { updateId, refusal } of message.refusedUpdates) {
      this.#runtime.log.warn({ updateId, reason: refusal?.message }, "the agent has refused an update");
      this.#settled(updateId);
    }
    if (message.shutdown) this.shutdown();
    this.#endIfDone();
  }

  /** A group comes whole. One that comes again is known already, also if its tasks are over by now. */
  #launch(group: TaskGroup): void {
    const { clock } = this.#runtime;
    for (const info of group.tasks) {
      const known = this.#tasks.get(info.taskId);
      if (known && (known.launchId === group.launchId || !known.isOver)) continue;
      const task = new ServedTask(
        group,
        info,
        () => clock.epochMs(),
        (status) => this.#tell(status),
      );
      this.#tasks.set(task.taskId, task);
      if (this.#isShuttingDown) task.failed({ message: "the executor is ending" });
      else this.#begin(task);
    }
  }

  #begin(task: ServedTask): void {
    try {
      this.#handler.launch(task);
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error);
      task.failed({ message, reason: StatusReason.REASON_LAUNCH_FAILED });
    }
  }

  #kill(taskId: string, graceMs: number): void {
    const task = this.#tasks.get(taskId);
    if (task && !task.isOver) this.#handler.kill(task, graceMs);
  }

  #tell(status: TaskStatus): void {
    this.#unacknowledged.add(status);
    this.#outbox?.add("statuses", status, 200 + status.message.length);
    this.#flushSoon();
  }

  #settled(updateId: string): void {
    const taskId = this.#unacknowledged.remove(updateId);
    if (taskId === undefined || this.#unacknowledged.has(taskId)) return;
    if (this.#tasks.get(taskId)?.isOver) this.#tasks.delete(taskId);
  }

  #flushSoon(): void {
    if (this.#isFlushDue) return;
    this.#isFlushDue = true;
    this.#runtime.clock.after(0, () => {
      this.#isFlushDue = false;
      this.#outbox?.flush();
      this.#endIfDone();
    });
  }

  /** It may go when its tasks have ended and the agent knows it, or will never ask. */
  #endIfDone(): void {
    if (!this.#isShuttingDown || this.tasks.length > 0) return;
    if (this.#unacknowledged.size === 0 || !this.#isStarted) this.#end();
  }

  #end(): void {
    if (this.#isEnded) return;
    this.#isEnded = true;
    this.#timer?.();
    this.#outbox?.end();
    this.#outlet = undefined;
    this.#runtime.clock.after(0, this.#config.ended);
  }
}

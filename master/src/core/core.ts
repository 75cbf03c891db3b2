import type { ErrorKind, Result } from "@muster/foundation";
import type {
  Affected,
  ClaimResult,
  ConnectResponse,
  StatusReason,
  SubscribeResponse,
  TaskState,
  TaskStatus,
} from "@muster/proto";
import type { CountName, Effect, EventSubject } from "./effects.ts";
import type { Agent, Framework, MasterState, Offer, Task, Timer, TimerWork } from "./model.ts";

type Item<M, F extends keyof M> = M[F] extends readonly (infer I)[] ? I : M[F];

/** The moment at which a step happens. Kept by what happens then: never changed. */
export interface Now {
  readonly monotonicMs: number;
  readonly epochMs: number;
}

/** One step at work: the state, the moment, and the effects so far. */
export class Core {
  readonly state: MasterState;
  now: Now = { monotonicMs: 0, epochMs: 0 };
  nowMs = 0;
  epochMs = 0;
  effects: Effect[] = [];
  /** What has been counted since the loop took it last, by label. Labels are bounded: kinds and outcomes, never ids. */
  readonly tallies: Readonly<Record<CountName, Map<string, number>>> = {
    offers: new Map(),
    offers_ended: new Map(),
    tasks_launched: new Map(),
    tasks_refused: new Map(),
    statuses: new Map(),
    acknowledgements: new Map(),
    calls_refused: new Map(),
    claims: new Map(),
    inverse_offers: new Map(),
    preemptions: new Map(),
    operations: new Map(),
    invariants: new Map(),
  };

  constructor(state: MasterState) {
    this.state = state;
  }

  begin(now: Now): void {
    this.now = now;
    this.nowMs = now.monotonicMs;
    this.epochMs = now.epochMs;
    this.effects = [];
  }

  toFramework<F extends keyof SubscribeResponse & string>(
    framework: Framework,
    field: F,
    item: Item<SubscribeResponse, F>,
    bytes: number,
  ): void {
    if (framework.state !== "connected") return;
    framework.lastSentMs = this.nowMs;
    this.effects.push({ type: "to-framework", connection: framework.connection, field, item, bytes } as Effect);
  }

  toAgent<F extends keyof ConnectResponse & string>(
    connection: number,
    field: F,
    item: Item<ConnectResponse, F>,
    bytes: number,
  ): void {
    if (connection === 0) return;
    this.effects.push({ type: "to-agent", connection, field, item, bytes } as Effect);
  }

  /** The answer to a claim. The loop, which numbers the feed's events, says in it where the feed stands. */
  claimResult(framework: Framework, agent: Agent | undefined, result: ClaimResult): void {
    if (framework.state !== "connected") return;
    framework.lastSentMs = this.nowMs;
    this.effects.push({ type: "claim-result", connection: framework.connection, agent, result });
  }

  /** Call 0 is nobody's. */
  answer(call: number, result: Result<Affected>): void {
    if (call !== 0) this.effects.push({ type: "answer", call, result });
  }

  /** Its framework is told of it, and so is the feed. */
  offerMade(offer: Offer): void {
    const { framework } = offer;
    if (framework.state === "connected") framework.lastSentMs = this.nowMs;
    this.effects.push({ type: "offer", offer });
  }

  event(subject: EventSubject): void {
    this.effects.push({ type: "event", subject });
  }

  /** The task as it is now goes into the feed. */
  taskEvent(task: Task): void {
    this.effects.push({ type: "task-event", task, status: task.told });
  }

  log(level: "info" | "warn", fields: Readonly<Record<string, unknown>>, message: string): void {
    this.effects.push({ type: "log", level, fields, message });
  }

  count(name: CountName, label: string, amount = 1): void {
    const tally = this.tallies[name];
    tally.set(label, (tally.get(label) ?? 0) + amount);
  }

  /** Never due before the next millisecond: sums of fractions may fall short of "now", and would be due for ever. */
  after(delayMs: number, work: TimerWork): Timer {
    const { state } = this;
    const timer: Timer = { atMs: this.nowMs + Math.max(1, delayMs), number: ++state.timerCount, work, heapIndex: -1 };
    state.timers.push(timer);
    return timer;
  }

  refuse(framework: Framework, call: string, subjectId: string, kind: ErrorKind, message: string, field = ""): void {
    this.count("calls_refused", call);
    const refusal = { kind, message, field, retryAfterMs: 0 };
    this.toFramework(framework, "refusals", { call, subjectId, refusal }, 64 + message.length);
  }

  /** A status of the master's own: not numbered, needs no acknowledgement. */
  status(
    ids: { taskId: string; launchId: string; frameworkId: string; agentId: string },
    state: TaskState,
    reason: StatusReason,
    message: string,
  ): TaskStatus {
    return {
      taskId: ids.taskId,
      launchId: ids.launchId,
      frameworkId: ids.frameworkId,
      agentId: ids.agentId,
      state,
      reason,
      source: 1,
      message,
      updateId: "",
      sequence: 0,
      at: this.epochMs,
      health: 0,
      signal: "",
      container: null,
    };
  }
}

export function idsOf(task: Task): { taskId: string; launchId: string; frameworkId: string; agentId: string } {
  const { group } = task;
  return { taskId: task.id, launchId: group.launchId, frameworkId: group.framework.id, agentId: group.agent.id };
}

export function timerBefore(a: Timer, b: Timer): boolean {
  return a.atMs < b.atMs || (a.atMs === b.atMs && a.number < b.number);
}

import {
  AgentStanding,
  AgentState,
  type ClusterAgent,
  emptyMessage,
  type JobStatus,
  type JobSummary,
  MusterError,
  noResources,
  type Offer,
  resources,
  StatusReason,
  seededRandom,
  TaskState,
  type TaskStatus,
} from "@muster/framework-sdk";
import { type Job, jobSchema, type Overlap, type Schedule } from "@muster/jobspecs";
import type { DispatchRequest } from "./dispatch.ts";
import type { Answer, CronState, Effect, JobEntry, LaunchGroup, Run } from "./model.ts";
import { readRecords } from "./records.ts";
import { createState, type Input, nextWakeAt, step } from "./step.ts";
import { statusOf, summaryOf } from "./view/views.ts";

export const worldBeginsAt = Date.parse("2026-06-01T00:00:00Z");
export const secondMs = 1_000;
export const minuteMs = 60_000;
export const hourMs = 3_600_000;

interface Behaviour {
  /** How long it runs. */
  readonly forMs: number;
  /** How it then ends: an exit code, or a state other than FINISHED and FAILED. */
  readonly ends?: number | TaskState;
}

interface LiveTask {
  readonly taskId: string;
  readonly launchId: string;
  readonly agentId: string;
  status: TaskStatus;
}

interface Event {
  readonly atMs: number;
  readonly order: number;
  readonly run: () => void;
}

/**
 * The core in virtual time, with a State that keeps what was written and compares versions, and a cluster whose tasks
 * live on while the framework is away. The framework may crash at any moment, also between any two of its effects.
 */
export class CoreWorld {
  nowMs = worldBeginsAt;
  /** Every launch that a cluster ever got, in order. */
  readonly launches: { readonly atMs: number; readonly taskId: string; readonly agentId: string }[] = [];
  readonly kills: string[] = [];
  readonly answers: Answer[] = [];
  readonly refusals: MusterError[] = [];
  /** What tasks do; by default they run for a second and succeed. */
  behave: (taskId: string) => Behaviour = () => ({ forMs: secondMs });
  /** Whether killed tasks end. */
  endsKilled = true;
  /** What the framework logged. */
  readonly logs: string[] = [];
  /** Names of the agents that are in use; their ids begin with "agent-". */
  agentNames: readonly string[] = ["one"];
  /** Agents that are known, and can start nothing now. */
  awayNames: readonly string[] = [];
  /** Whether agents have room. */
  hasRoom = true;
  /** From when on they will be away; undefined: nothing is planned. */
  maintenanceAt: number | undefined;
  /** How long State takes. */
  saveMs = 1;
  /** Called for each effect before it is done; true: the framework dies instead. */
  crashOn: (effect: Effect) => boolean = () => false;
  state: CronState | undefined;
  readonly #offers = new Map<string, string>();
  readonly #store = new Map<string, { value: string; version: number }>();
  readonly #tasks = new Map<string, LiveTask>();
  readonly #unacknowledged = new Map<string, TaskStatus>();
  /** The next one last, once they are sorted. */
  #events: Event[] = [];
  #isSorted = true;
  #order = 0;
  #life = 0;
  #isConnected = false;
  #callCount = 0;

  /** The framework starts: it reads its records and opens a session. */
  start(): void {
    const records = [...this.#store].map(([key, { value, version }]) => ({ key, value, version }));
    const { entries, problems } = readRecords(records);
    if (problems.length > 0) throw new Error(problems.join("; "));
    this.#life += 1;
    this.state = createState(entries, ["default"], seededRandom("world"));
    this.connect();
  }

  /** The framework dies; its tasks do not. */
  crash(): void {
    this.#life += 1;
    this.state = undefined;
    this.#isConnected = false;
  }

  connect(): void {
    this.#isConnected = true;
    this.post({ type: "opened" });
    this.#later(5, () => {
      for (const status of this.#unacknowledged.values()) this.post({ type: "status", status });
      for (const { status } of this.#tasks.values()) this.post({ type: "status", status: { ...status, updateId: "" } });
      this.post({ type: "all-told" });
    });
  }

  disconnect(): void {
    this.#isConnected = false;
    this.post({ type: "closed" });
  }

  /** Lets time pass. */
  run(forMs: number): void {
    const untilMs = this.nowMs + forMs;
    for (;;) {
      if (!this.#isSorted) this.#events.sort((a, b) => b.atMs - a.atMs || b.order - a.order);
      this.#isSorted = true;
      const next = this.#events.at(-1);
      const wakeAt = this.state ? nextWakeAt(this.state) : undefined;
      const wakes = wakeAt !== undefined && (!next || wakeAt < next.atMs);
      const atMs = wakes ? Math.max(wakeAt, this.nowMs) : next?.atMs;
      if (atMs === undefined || atMs > untilMs) break;
      this.nowMs = Math.max(this.nowMs, atMs);
      if (wakes) this.post({ type: "tick" });
      else {
        this.#events.pop();
        next?.run();
      }
    }
    this.nowMs = Math.max(this.nowMs, untilMs);
  }

  submit(job: Job): void {
    this.#call((callId) => ({ type: "submit", callId, submission: { job, source: "", checkVersion: undefined } }));
  }

  force(jobId: string): void {
    this.#call((callId) => ({ type: "force", callId, jobId }));
  }

  dispatch(request: DispatchRequest): void {
    this.#call((callId) => ({ type: "dispatch", callId, request }));
  }

  stopJob(jobId: string, purge = false): void {
    this.#call((callId) => ({ type: "stop", callId, jobId, purge }));
  }

  entry(jobId: string): JobEntry {
    const entry = this.state?.jobs.get(jobId);
    if (!entry) throw new Error(`no job ${jobId}`);
    return entry;
  }

  summary(jobId: string): JobSummary {
    return summaryOf(this.#present, this.entry(jobId));
  }

  status(jobId: string): JobStatus {
    return statusOf(this.#present, this.entry(jobId));
  }

  runs(jobId: string): Run[] {
    return this.entry(jobId).runs;
  }

  /** Seconds since the world began at which tasks were launched. */
  launchSeconds(): number[] {
    return this.launches.map(({ atMs }) => Math.round((atMs - worldBeginsAt) / secondMs));
  }

  get liveTaskIds(): string[] {
    return [...this.#tasks.keys()];
  }

  storedBytes(key: string): number {
    return Buffer.byteLength(this.#store.get(key)?.value ?? "");
  }

  get storedKeys(): string[] {
    return [...this.#store.keys()];
  }

  /** An agent says something of a task. */
  tell(taskId: string, state: TaskState, more: Partial<TaskStatus> = {}): void {
    const task = this.#tasks.get(taskId);
    const status: TaskStatus = {
      ...emptyMessage("TaskStatus"),
      taskId,
      launchId: task?.launchId ?? "",
      agentId: task?.agentId ?? "agent-one",
      state,
      at: this.nowMs,
      updateId: `u-${++this.#order}`,
      ...more,
    };
    if (task) task.status = status;
    const isEnd = state >= TaskState.TASK_FINISHED && state <= TaskState.TASK_GONE;
    if (isEnd) this.#tasks.delete(taskId);
    this.#unacknowledged.set(status.updateId, status);
    if (this.state && this.#isConnected) this.post({ type: "status", status });
  }

  post(input: Input): void {
    if (!this.state) return;
    const life = this.#life;
    for (const effect of step(this.state, input, this.nowMs)) {
      if (this.crashOn(effect)) this.crash();
      if (life !== this.#life) return;
      this.#do(effect);
    }
  }

  get #present(): CronState {
    if (!this.state) throw new Error("the framework is away");
    return this.state;
  }

  #call(input: (callId: number) => Input): void {
    try {
      this.post(input(++this.#callCount));
    } catch (error) {
      if (!(error instanceof MusterError)) throw error;
      this.refusals.push(error);
    }
    this.run(10);
  }

  #do(effect: Effect): void {
    if (effect.type === "save") this.#save(effect);
    else if (effect.type === "reply") this.answers.push(effect.answer);
    else if (effect.type === "log") this.logs.push(effect.message);
    else if (effect.type === "acknowledge") this.#unacknowledged.delete(effect.status.updateId);
    else if (effect.type === "accept")
      for (const group of effect.groups) this.#launch(group, this.#offers.get(effect.offerIds[0] ?? "") ?? "");
    else if (effect.type === "revive") this.#later(2, () => this.offer());
    else if (effect.type === "kill") {
      this.kills.push(effect.taskId);
      if (this.#tasks.has(effect.taskId) && this.endsKilled)
        this.#always(1, () =>
          this.tell(effect.taskId, TaskState.TASK_KILLED, { reason: StatusReason.REASON_KILLED_BY_FRAMEWORK }),
        );
    }
  }

  /** What the agents are is not as it was. */
  tellAgents(): void {
    const known = [...this.agentNames, ...this.awayNames].map((name) => anAgent(name, this.awayNames.includes(name)));
    this.post({ type: "agents", known: new Map(known.map((agent) => [agent.agentId, agent])), awaited: [] });
  }

  /** An offer of each agent, if there is room. */
  offer(): void {
    if (!this.hasRoom || !this.#isConnected) return;
    this.post({ type: "offers", offers: this.agentNames.map((name) => this.#offerOf(name)) });
  }

  #offerOf(agentName: string): Offer {
    const offerId = `o-${++this.#order}`;
    this.#offers.set(offerId, `agent-${agentName}`);
    return {
      ...emptyMessage("Offer"),
      offerId,
      agentId: `agent-${agentName}`,
      agentName,
      role: "default",
      resources: resources({ cpuMillis: 100_000, memoryMiB: 100_000, diskMiB: 100_000, portCount: 100 }),
      unavailability:
        this.maintenanceAt === undefined
          ? null
          : { ...emptyMessage("Unavailability"), startAt: this.maintenanceAt, durationMs: minuteMs },
    };
  }

  #save({ jobId, writes }: Extract<Effect, { type: "save" }>): void {
    // A write is with State as soon as it is sent: the framework may die before it hears of it.
    const versions = writes.map(({ key, version, value }) => {
      const present = this.#store.get(key);
      if (version !== undefined && version !== (present?.version ?? 0)) throw new Error(`${key}: not at ${version}`);
      if (value === undefined) this.#store.delete(key);
      else this.#store.set(key, { value, version: (present?.version ?? 0) + 1 });
      return this.#store.get(key)?.version ?? 0;
    });
    this.#later(this.saveMs, () => this.post({ type: "saved", jobId, versions }));
  }

  #launch(group: LaunchGroup, agentId: string): void {
    for (const { taskId } of group.tasks) {
      this.launches.push({ atMs: this.nowMs, taskId, agentId });
      if (this.#tasks.has(taskId)) throw new Error(`${taskId} runs already`);
      const status = { ...emptyMessage("TaskStatus"), taskId, state: TaskState.TASK_STAGING };
      this.#tasks.set(taskId, { taskId, launchId: group.launchId, agentId, status });
      const { forMs, ends = 0 } = this.behave(taskId);
      if (ends === TaskState.TASK_DROPPED || ends === TaskState.TASK_ERROR) {
        this.#always(1, () => this.tell(taskId, ends));
        continue;
      }
      this.#always(1, () => this.tell(taskId, TaskState.TASK_RUNNING));
      this.#always(forMs, () => this.#end(taskId, ends));
    }
  }

  #end(taskId: string, ends: number): void {
    if (!this.#tasks.has(taskId)) return;
    if (ends >= TaskState.TASK_FAILED && ends <= TaskState.TASK_GONE) this.tell(taskId, ends as TaskState);
    else this.tell(taskId, ends === 0 ? TaskState.TASK_FINISHED : TaskState.TASK_FAILED, { exitCode: ends });
  }

  /** Something that ends with the framework's life. */
  #later(afterMs: number, run: () => void): void {
    const life = this.#life;
    this.#always(afterMs, () => {
      if (life === this.#life) run();
    });
  }

  #always(afterMs: number, run: () => void): void {
    this.#isSorted = false;
    this.#events.push({ atMs: this.nowMs + afterMs, order: ++this.#order, run });
  }
}

/** A world in which the framework runs. */
export function startedWorld(): CoreWorld {
  const world = new CoreWorld();
  world.start();
  world.run(10);
  return world;
}

function anAgent(name: string, isAway: boolean): ClusterAgent {
  const nothing = noResources;
  const all = resources({ cpuMillis: 100_000, memoryMiB: 100_000 });
  const state = isAway ? AgentState.AGENT_STATE_UNREACHABLE : AgentState.AGENT_STATE_REGISTERED;
  return {
    ...{ agentId: `agent-${name}`, name, ip: "10.0.0.1", state },
    ...{ total: all, free: all, allocated: nothing, offered: nothing },
    ...{ portsTaken: new Set<number>(), portsInPart: new Map() },
    address: `${name}:5051`,
    ...{ drivers: ["process"], networkModes: ["host"], attributes: new Map([["kernel.name", "linux"]]) },
    ...{ standing: AgentStanding.AGENT_STANDING_ACTIVE, maintenanceAt: 0 },
    ...{ reservationIds: new Set<string>(), volumeIds: new Set<string>(), setAside: nothing, reservedRoles: [] },
  };
}

/** A batch job with one task; with a schedule if there is one. */
export function aJob(id: string, schedule?: Schedule, change: (job: Job) => Job = (job) => job): Job {
  return change({
    schema: jobSchema,
    id,
    name: id,
    type: "batch",
    role: "default",
    priority: 50,
    region: "global",
    datacenters: ["*"],
    nodePool: "default",
    meta: {},
    constraints: [],
    ...(schedule ? { schedule } : {}),
    groups: [
      {
        name: "main",
        count: 1,
        constraints: [],
        network: { mode: "host", ports: [] },
        services: [],
        restart: { attempts: 2, firstDelayMs: 30_000, factor: 2, maxDelayMs: 600_000, mode: "fail" },
        update: {
          method: { kind: "batch", maxParallel: 1 },
          canaryCount: 0,
          healthCheck: "checks",
          minHealthyTimeMs: 0,
          healthyDeadlineMs: 0,
          progressDeadlineMs: 0,
          autoRevert: false,
          autoPromote: false,
          staggerMs: 0,
        },
        shutdownDelayMs: 0,
        meta: {},
        tasks: [
          {
            name: "work",
            driver: "process",
            config: { command: "true", args: [] },
            env: {},
            resources: { cpuMillis: 10, memoryMiB: 16, diskMiB: 0 },
            constraints: [],
            services: [],
            killTimeoutMs: 5_000,
            killSignal: "SIGTERM",
            shutdownDelayMs: 0,
            logs: { disabled: false, fileCount: 1, fileSizeMiB: 1 },
            meta: {},
            leader: false,
          },
        ],
      },
    ],
  });
}

export function every(text: string, overlap: Overlap = "skip", more: Partial<Schedule> = {}): Schedule {
  return { kind: "interval", text, timeZone: "UTC", overlap, enabled: true, ...more } as Schedule;
}

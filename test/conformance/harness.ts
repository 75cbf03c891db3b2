import {
  type Clock,
  emptyMessage,
  type GrpcServer,
  type GrpcTransport,
  grpcTransport,
  type MemoryStore,
  type MemoryStoreData,
  type MessageName,
  type MethodName,
  MusterError,
  memoryStore,
  memoryStoreData,
  type Outlet,
  type RequestOf,
  type ResponseOf,
  resources,
  seededRandom,
  serveGrpc,
  silentLog,
} from "@muster/foundation";
import { createMetrics } from "@muster/foundation/metrics";
import { createMaster, defaultMasterConfig, type Master, type MasterConfig } from "@muster/master";
import {
  type ConnectRequest,
  type ConnectResponse,
  type Demand,
  type FrameworkInfo,
  type Launch,
  type Messages,
  type Offer,
  type Registration,
  type SubscribeRequest,
  type SubscribeResponse,
  type TaskGroup,
  type TaskReport,
  TaskState,
  type TaskStatus,
} from "@muster/proto";

import { aGroup, anAccept, aRegistration, aTask } from "../../master/src/messages.test.fixture.ts";

export {
  aGroup,
  anAccept,
  aRegistration,
  aTask,
} from "../../master/src/messages.test.fixture.ts";

/** How long a test waits, in real time, for what must come. */
const patienceMs = 5_000;
const neverMs = 1e14;
/** Of a master that does nothing by itself: no heartbeats, no pings, no offer ends by time. */
export const quiet = { heartbeatIntervalMs: neverMs, pingIntervalMs: neverMs, offerTimeoutMs: neverMs };

/** Timers wait until a test moves time; what is due at once runs as in production, after the present turn. */
export class ManualClock implements Clock {
  #nowMs = 1_000_000;
  #count = 0;
  #due: { atMs: number; number: number; wake: () => void }[] = [];

  monotonicMs(): number {
    return this.#nowMs;
  }

  epochMs(): number {
    return 1_700_000_000_000 + this.#nowMs;
  }

  after(delayMs: number, wake: () => void): () => void {
    if (delayMs <= 0) {
      const immediate = setImmediate(wake);
      return () => clearImmediate(immediate);
    }
    const entry = { atMs: this.#nowMs + delayMs, number: ++this.#count, wake };
    this.#due.push(entry);
    return () => {
      this.#due = this.#due.filter((other) => other !== entry);
    };
  }

  /** Moves time step by step; `settle` runs after each step, so that what a timer causes happens at its moment. */
  async advance(byMs: number, settle: () => Promise<void>): Promise<void> {
    const untilMs = this.#nowMs + byMs;
    for (;;) {
      this.#due.sort((a, b) => a.atMs - b.atMs || a.number - b.number);
      const next = this.#due[0];
      if (next === undefined || next.atMs > untilMs) break;
      this.#due.shift();
      this.#nowMs = Math.max(this.#nowMs, next.atMs);
      next.wake();
      await settle();
    }
    this.#nowMs = untilMs;
    await settle();
  }
}

/** A master behind a real gRPC server, on a memory store, under a clock that the test moves. */
export class Cluster {
  readonly clock: ManualClock;
  readonly data: MemoryStoreData;
  readonly store: MemoryStore;
  readonly master: Master;
  readonly transport: GrpcTransport = grpcTransport();
  readonly #settings: Partial<MasterConfig>;
  #server: GrpcServer | undefined;
  address = "";
  storeFault: MusterError | undefined;
  failed: MusterError | undefined;

  private constructor(settings: Partial<MasterConfig>, before?: Cluster) {
    this.#settings = settings;
    this.clock = before?.clock ?? new ManualClock();
    this.data = before?.data ?? memoryStoreData();
    this.store = memoryStore(this.clock, this.data, () => (this.storeFault ? { error: this.storeFault } : undefined));
    // Its address is known when it listens, which is before it campaigns.
    const address = (): string => this.address;
    const config = Object.defineProperty({ ...defaultMasterConfig, ...settings }, "candidate", { get: address });
    this.master = createMaster(
      {
        clock: this.clock,
        random: seededRandom(`${this.data.epoch}`),
        store: this.store,
        transport: this.transport,
        log: silentLog,
        metrics: createMetrics("test_"),
        failed: (error) => {
          this.failed = error;
        },
      },
      config,
    );
  }

  static async start(settings: Partial<MasterConfig> = {}, before?: Cluster): Promise<Cluster> {
    const cluster = await Cluster.#listening(settings, before);
    await until(() => cluster.master.state !== undefined);
    return cluster;
  }

  /** Another master on the same store, which leads when this one does no more. */
  standby(): Promise<Cluster> {
    return Cluster.#listening(this.#settings, this);
  }

  static async #listening(settings: Partial<MasterConfig>, before?: Cluster): Promise<Cluster> {
    const cluster = new Cluster(settings, before);
    await new Promise<void>((resolve, reject) => {
      cluster.#server = serveGrpc(cluster.master.handlers, {
        address: "127.0.0.1:0",
        log: silentLog,
        listening: (result) => {
          if (result instanceof MusterError) return reject(result);
          cluster.address = result.address;
          return resolve();
        },
      });
    });
    cluster.master.start();
    return cluster;
  }

  /** The leader dies at once, with all its connections, and another takes over the store. */
  async failOver(settings = this.#settings): Promise<Cluster> {
    await this.close();
    return Cluster.start(settings, this);
  }

  async close(): Promise<void> {
    await new Promise<void>((resolve) => this.#server?.close(resolve) ?? resolve());
    this.master.stop(() => {});
    this.store.close(() => {});
    this.transport.close();
    await turns(3);
  }

  /** Everything that peers have sent has been taken in, and what follows from it has come back. */
  async settle(): Promise<void> {
    for (let i = 0; i < 3; i++) {
      await this.call("Operator.GetMaster", {});
      await turns(3);
    }
  }

  async advance(byMs: number): Promise<void> {
    await this.clock.advance(byMs, () => this.settle());
  }

  call<M extends MethodName>(method: M, request: Partial<RequestOf<M>>): Promise<ResponseOf<M>> {
    const whole = { ...request } as RequestOf<M>;
    return new Promise((resolve, reject) => {
      this.transport.call(method, this.address, whole, patienceMs, (result) =>
        result.ok ? resolve(result.value) : reject(result.error),
      );
    });
  }

  async agent(id: string, settings: Partial<Registration> = {}, tasks: TaskReport[] = []): Promise<AgentClient> {
    const agent = new AgentClient(this, id);
    agent.register(settings, tasks);
    await until(() => agent.isRegistered || agent.ended !== undefined);
    return agent;
  }

  async framework(name: string, settings: FrameworkSettings = {}): Promise<FrameworkClient> {
    const framework = new FrameworkClient(this, name);
    framework.subscribe(settings);
    await until(() => framework.received.length > 0 || framework.ended !== undefined);
    return framework;
  }

  async watch(request: Partial<Messages["EventsRequest"]> = {}): Promise<WatchClient> {
    const watch = new WatchClient(this, request);
    await until(() => watch.isComplete || watch.ended !== undefined || request.epoch !== undefined);
    return watch;
  }
}

/** Waits for what must come, and fails with its text if it does not. */
export async function until(condition: () => boolean): Promise<void> {
  const endMs = performance.now() + patienceMs;
  while (!condition()) {
    if (performance.now() > endMs) throw new Error(`did not come to be within ${patienceMs} ms: ${condition}`);
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
}

async function turns(count: number): Promise<void> {
  for (let i = 0; i < count; i++) await new Promise((resolve) => setImmediate(resolve));
}

class StreamClient<M extends "Scheduling.Subscribe" | "Agents.Connect", Out extends object, In> {
  readonly cluster: Cluster;
  readonly received: In[] = [];
  ended: MusterError | "ended" | undefined;
  readonly #outlet: Outlet<Out>;
  readonly #outName: MessageName;

  constructor(cluster: Cluster, method: M, outName: MessageName) {
    this.cluster = cluster;
    this.#outName = outName;
    this.#outlet = cluster.transport.open(method, cluster.address, {
      receive: (message) => {
        this.received.push(message as In);
        this.onReceive(message as In);
      },
      drained: () => {},
      closed: (error) => {
        this.ended ??= error ?? "ended";
      },
    }) as unknown as Outlet<Out>;
  }

  onReceive(_message: In): void {}

  /** Hands a message over, without waiting. */
  send(message: Partial<Out>): void {
    this.#outlet.send({ ...emptyMessage(this.#outName), ...message } as Out);
  }

  /** Sends, and waits until the master has taken it in and answered. */
  async say(message: Partial<Out>): Promise<void> {
    this.send(message);
    await this.cluster.settle();
  }

  /** The connection breaks. */
  async drop(): Promise<void> {
    this.ended ??= "ended";
    this.#outlet.end(new MusterError("cancelled", "dropped"));
    await this.cluster.settle();
  }
}

export interface FrameworkSettings extends Partial<FrameworkInfo> {
  frameworkId?: string;
  suppressedRoles?: string[];
  epochSeen?: number;
}

type ListField<M> = { [F in keyof M]: M[F] extends readonly unknown[] ? F : never }[keyof M];

export class FrameworkClient extends StreamClient<"Scheduling.Subscribe", SubscribeRequest, SubscribeResponse> {
  readonly name: string;
  #taken = 0;

  constructor(cluster: Cluster, name: string) {
    super(cluster, "Scheduling.Subscribe", "SubscribeRequest");
    this.name = name;
  }

  subscribe({ frameworkId = "", suppressedRoles = [], epochSeen = 0, ...info }: FrameworkSettings = {}): void {
    const framework = { ...emptyMessage("FrameworkInfo"), name: this.name, roles: ["web"], ...info };
    this.send({ subscription: { framework, frameworkId, suppressedRoles, epochSeen } });
  }

  get id(): string {
    return this.received[0]?.subscribed?.frameworkId ?? "";
  }

  all<F extends ListField<SubscribeResponse>>(field: F): SubscribeResponse[F] {
    return this.received.flatMap((message) => message[field] as never[]) as SubscribeResponse[F];
  }

  /** Waits for an offer that came after the last one taken here. */
  async offer(): Promise<Offer> {
    await until(() => this.all("offers").length > this.#taken);
    return this.all("offers")[this.#taken++] as Offer;
  }

  /** How many offers came that nobody has taken yet. */
  get offersLeft(): number {
    return this.all("offers").length - this.#taken;
  }

  async accept(offers: readonly Offer[], groups: readonly TaskGroup[], refuseMs?: number): Promise<void> {
    await this.say({ accepts: [anAccept(offers, groups, refuseMs)] });
  }

  async decline(offers: readonly Offer[], refuseMs?: number): Promise<void> {
    const filters = refuseMs === undefined ? null : { refuseMs };
    await this.say({ declines: [{ offerIds: offers.map((offer) => offer.offerId), filters }] });
  }

  updatesOf(taskId: string): TaskStatus[] {
    return this.all("updates").filter((status) => status.taskId === taskId);
  }

  async acknowledge(status: TaskStatus): Promise<void> {
    const { taskId, agentId, updateId } = status;
    await this.say({ acknowledgements: [{ taskId, agentId, updateId }] });
  }
}

export class AgentClient extends StreamClient<"Agents.Connect", ConnectRequest, ConnectResponse> {
  readonly id: string;
  answersPings = true;

  constructor(cluster: Cluster, id: string) {
    super(cluster, "Agents.Connect", "ConnectRequest");
    this.id = id;
  }

  override onReceive(message: ConnectResponse): void {
    if (message.ping !== null && this.answersPings) this.send({ pong: { pingNumber: message.ping.pingNumber } });
  }

  register(settings: Partial<Registration> = {}, tasks: TaskReport[] = []): void {
    this.send({ registration: aRegistration(this.id, settings) });
    this.send({ tasks, tasksComplete: true });
  }

  get isRegistered(): boolean {
    return this.received.some((message) => message.registered !== null);
  }

  all<F extends ListField<ConnectResponse>>(field: F): ConnectResponse[F] {
    return this.received.flatMap((message) => message[field] as never[]) as ConnectResponse[F];
  }

  launchOf(taskId: string): Launch | undefined {
    return this.all("launches").find(({ group }) => group?.tasks.some((task) => task.taskId === taskId));
  }

  statusOf(taskId: string, state: TaskState, sequence: number, more: Partial<TaskStatus> = {}): TaskStatus {
    const launch = this.launchOf(taskId);
    return {
      ...emptyMessage("TaskStatus"),
      taskId,
      launchId: launch?.group?.launchId ?? "",
      frameworkId: launch?.frameworkId ?? "",
      agentId: this.id,
      state,
      source: 2,
      updateId: `${taskId}-${sequence}`,
      sequence,
      at: this.cluster.clock.epochMs(),
      ...more,
    };
  }

  async report(
    taskId: string,
    state: TaskState,
    sequence: number,
    more: Partial<TaskStatus> = {},
  ): Promise<TaskStatus> {
    const status = this.statusOf(taskId, state, sequence, more);
    await this.say({ statuses: [status] });
    return status;
  }

  /** What this agent tells a master of a task that it was once told to launch. */
  reportOf(status: TaskStatus, acknowledged = false): TaskReport {
    const launch = this.launchOf(status.taskId);
    const task = launch?.group?.tasks.find((one) => one.taskId === status.taskId);
    return {
      frameworkId: status.frameworkId,
      frameworkName: launch?.frameworkName ?? "",
      role: launch?.role ?? "",
      task: { ...aTask(status.taskId), ...task, spec: Buffer.alloc(0) },
      launchId: status.launchId,
      ports: launch?.group?.ports ?? [],
      status,
      acknowledged,
      executorId: launch?.group?.isExecutor ? (launch.group.executor?.executorId ?? "") : "",
      reserved: launch?.reserved ?? [],
      volumes: launch?.group?.volumes ?? [],
    };
  }
}

/** A reader of the feed. */
export class WatchClient {
  readonly received: Messages["EventsResponse"][] = [];
  ended: MusterError | "ended" | undefined;
  readonly close: () => void;

  constructor(cluster: Cluster, request: Partial<Messages["EventsRequest"]>) {
    const whole = { ...emptyMessage("EventsRequest"), ...request };
    this.close = cluster.transport.follow("Watch.Events", cluster.address, whole, {
      receive: (message) => void this.received.push(message),
      drained: () => {},
      closed: (error) => {
        this.ended ??= error ?? "ended";
      },
    });
  }

  get isComplete(): boolean {
    return this.received.some((message) => message.snapshotComplete);
  }

  get snapshot(): Messages["WatchEvent"][] {
    return this.received.filter((message) => message.snapshot).flatMap((message) => message.events);
  }

  get events(): Messages["WatchEvent"][] {
    return this.received.filter((message) => !message.snapshot).flatMap((message) => message.events);
  }
}

/** So many of 500 milli-CPU and 256 MiB, as tasks are; an agent has room for eight. */
export const aDemand = (count: number, more: Partial<Demand> = {}): Demand => ({
  role: "web",
  count,
  resources: resources({ cpuMillis: 500, memoryMiB: 256 }),
  constraints: [],
  demandId: "",
  agentIds: [],
  ...more,
});

/** An agent, and a framework whose task runs on it; what its accept left is offered again. */
export async function runningTask(
  cluster: Cluster,
  taskId: string,
): Promise<{ agent: AgentClient; framework: FrameworkClient }> {
  const agent = await cluster.agent("a-1");
  const framework = await cluster.framework("services");
  await framework.accept([await framework.offer()], [aGroup([aTask(taskId)])], 0);
  await framework.acknowledge(await agent.report(taskId, TaskState.TASK_RUNNING, 1));
  await cluster.advance(100);
  return { agent, framework };
}

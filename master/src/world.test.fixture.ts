import {
  type Clock,
  codecOf,
  emptyMessage,
  type Inlet,
  type MemoryStoreData,
  type MusterError,
  memoryStore,
  memoryStoreData,
  type Outlet,
  type StreamHandler,
  seededRandom,
  silentLog,
  type Transport,
} from "@muster/foundation";
import { createMetrics } from "@muster/foundation/metrics";
import type {
  ConnectRequest,
  ConnectResponse,
  Messages,
  Offer,
  Registration,
  SubscribeRequest,
  SubscribeResponse,
  Subscription,
  TaskGroup,
  TaskState,
  TaskStatus,
  WatchEvent,
} from "@muster/proto";
import { defaultMasterConfig, type MasterConfig } from "./config.ts";
import { anAccept, aRegistration } from "./messages.test.fixture.ts";
import { createMaster, type Master } from "./server.ts";

export { aGroup, anAccept, aTask } from "./messages.test.fixture.ts";

/** A clock that stands still until a test moves it. */
export class ManualClock implements Clock {
  #nowMs = 1_000;
  #count = 0;
  #due: { atMs: number; number: number; wake: () => void }[] = [];

  monotonicMs(): number {
    return this.#nowMs;
  }

  epochMs(): number {
    return 1_700_000_000_000 + this.#nowMs;
  }

  after(delayMs: number, wake: () => void): () => void {
    const entry = { atMs: this.#nowMs + Math.max(0, delayMs), number: ++this.#count, wake };
    this.#due.push(entry);
    return () => {
      this.#due = this.#due.filter((other) => other !== entry);
    };
  }

  advance(byMs: number): void {
    const untilMs = this.#nowMs + byMs;
    for (;;) {
      this.#due.sort((a, b) => a.atMs - b.atMs || a.number - b.number);
      const next = this.#due[0];
      if (next === undefined || next.atMs > untilMs) break;
      this.#due.shift();
      this.#nowMs = Math.max(this.#nowMs, next.atMs);
      next.wake();
    }
    this.#nowMs = untilMs;
  }

  /** Everything that is due now, and what follows from it. */
  settle(): void {
    this.advance(0);
  }
}

/** One end of a stream to the master, whose messages pass the real codecs both ways. */
export class Wire<Out extends keyof Messages, In extends keyof Messages> {
  readonly received: Messages[In][] = [];
  ended: MusterError | "ended" | undefined;
  isReady = true;
  readonly #inlet: Inlet<Messages[Out]>;
  readonly #out: Out;

  constructor(
    open: (outlet: Outlet<Messages[In]>, peer: { address: string; principal: string }) => Inlet<Messages[Out]>,
    outName: Out,
    inName: In,
  ) {
    this.#out = outName;
    const outlet: Outlet<Messages[In]> = {
      send: (message) => {
        if (this.ended === undefined) this.received.push(codecOf(inName).decode(codecOf(inName).encode(message)));
      },
      ready: () => this.isReady && this.ended === undefined,
      end: (error) => {
        this.ended ??= error ?? "ended";
      },
    };
    this.#inlet = open(outlet, { address: "test", principal: "local" });
  }

  send(message: Partial<Messages[Out]>): void {
    const whole = { ...emptyMessage(this.#out), ...message };
    this.#inlet.receive(codecOf(this.#out).decode(codecOf(this.#out).encode(whole)));
  }

  close(error?: MusterError): void {
    this.ended ??= "ended";
    this.#inlet.closed(error);
  }

  drain(): void {
    this.isReady = true;
    this.#inlet.drained();
  }
}

/** A master on a memory store with a clock that the test moves. */
export class World {
  readonly clock: ManualClock;
  readonly data: MemoryStoreData;
  readonly master: Master;
  readonly store: ReturnType<typeof memoryStore>;
  storeFault: MusterError | undefined;
  failed: MusterError | undefined;

  /** A silent election tells nobody who leads. */
  constructor(settings: Partial<MasterConfig> = {}, before?: World, { isElectionSilent = false } = {}) {
    this.clock = before?.clock ?? new ManualClock();
    this.data = before?.data ?? memoryStoreData();
    this.store = memoryStore(this.clock, this.data, () => (this.storeFault ? { error: this.storeFault } : undefined));
    if (isElectionSilent) this.store.leader = this.store.campaign = () => () => {};
    this.master = createMaster(
      {
        clock: this.clock,
        random: seededRandom(`${this.clock.monotonicMs()}`),
        store: this.store,
        transport: noTransport,
        log: silentLog,
        metrics: createMetrics("test_"),
        failed: (error) => {
          this.failed = error;
        },
      },
      { ...defaultMasterConfig, ...settings },
    );
    this.master.start();
    this.clock.settle();
  }

  /** Another master on the same store, after this one has died. */
  restart(settings: Partial<MasterConfig> = {}): World {
    this.master.stop(() => {});
    this.store.close(() => {});
    this.clock.settle();
    return new World(settings, this);
  }

  agent(id: string, settings: Partial<Registration> = {}, register = true): AgentWire {
    const agent = new AgentWire(this, id);
    if (register) agent.register(settings);
    return agent;
  }

  framework(name: string, settings: FrameworkSettings = {}): FrameworkWire {
    const framework = new FrameworkWire(this, name);
    framework.subscribe(settings);
    return framework;
  }
}

const noTransport: Transport = {
  open: () => {
    throw new Error("no agent listens");
  },
  call: () => {
    throw new Error("no agent listens");
  },
  follow: () => {
    throw new Error("no agent listens");
  },
};

export interface FrameworkSettings extends Partial<Messages["FrameworkInfo"]> {
  frameworkId?: string;
  suppressedRoles?: string[];
  epochSeen?: number;
}

export class FrameworkWire extends Wire<"SubscribeRequest", "SubscribeResponse"> {
  readonly world: World;
  readonly name: string;
  #taken = 0;

  constructor(world: World, name: string) {
    const open = world.master.handlers["Scheduling.Subscribe"] as StreamHandler<"Scheduling.Subscribe">;
    super(open, "SubscribeRequest", "SubscribeResponse");
    this.world = world;
    this.name = name;
  }

  subscribe({ frameworkId = "", suppressedRoles = [], epochSeen = 0, ...info }: FrameworkSettings = {}): void {
    const framework = { ...emptyMessage("FrameworkInfo"), name: this.name, roles: ["web"], ...info };
    const subscription: Subscription = { framework, frameworkId, suppressedRoles, epochSeen };
    this.say({ subscription });
  }

  say(message: Partial<SubscribeRequest>): void {
    this.send(message);
    this.world.clock.settle();
  }

  accept(offers: readonly Offer[], groups: readonly TaskGroup[], refuseMs?: number): void {
    this.say({ accepts: [anAccept(offers, groups, refuseMs)] });
  }

  get id(): string {
    return this.received[0]?.subscribed?.frameworkId ?? "";
  }

  /** Everything of one field that came, in order. */
  all<F extends ListField<SubscribeResponse>>(field: F): SubscribeResponse[F] {
    return this.received.flatMap((message) => message[field] as never[]) as SubscribeResponse[F];
  }

  /** What came since the last call. */
  fresh(): SubscribeResponse[] {
    const fresh = this.received.slice(this.#taken);
    this.#taken = this.received.length;
    return fresh;
  }

  /** Offers that came since `fresh` was called last. */
  freshOffers(): Offer[] {
    return this.fresh().flatMap((message) => message.offers);
  }

  states(taskId?: string): TaskState[] {
    return this.all("updates")
      .filter((status) => taskId === undefined || status.taskId === taskId)
      .map((status) => status.state);
  }
}

type ListField<M> = { [F in keyof M]: M[F] extends readonly unknown[] ? F : never }[keyof M];

export class AgentWire extends Wire<"ConnectRequest", "ConnectResponse"> {
  readonly world: World;
  readonly id: string;

  constructor(world: World, id: string) {
    const open = world.master.handlers["Agents.Connect"] as StreamHandler<"Agents.Connect">;
    super(open, "ConnectRequest", "ConnectResponse");
    this.world = world;
    this.id = id;
  }

  register(settings: Partial<Registration> = {}, tasks: ConnectRequest["tasks"] = []): void {
    this.say({ registration: aRegistration(this.id, settings) });
    this.say({ tasks, tasksComplete: true });
  }

  say(message: Partial<ConnectRequest>): void {
    this.send(message);
    this.world.clock.settle();
  }

  all<F extends ListField<ConnectResponse>>(field: F): ConnectResponse[F] {
    return this.received.flatMap((message) => message[field] as never[]) as ConnectResponse[F];
  }

  get isRegistered(): boolean {
    return this.received.some((message) => message.registered !== null);
  }

  report(taskId: string, state: TaskState, more: Partial<TaskStatus> = {}): TaskStatus {
    const status = this.statusOf(taskId, state, more);
    this.say({ statuses: [status] });
    return status;
  }

  statusOf(taskId: string, state: TaskState, more: Partial<TaskStatus> = {}): TaskStatus {
    const launch = this.all("launches").find(({ group }) => group?.tasks.some((task) => task.taskId === taskId));
    const sequence = more.sequence ?? state - 1;
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
      ...more,
    };
  }
}

/** A reader of the feed. */
export class WatchWire {
  readonly received: Messages["EventsResponse"][] = [];
  ended: MusterError | "ended" | undefined;
  isReady = true;
  readonly #inlet: Inlet<never>;

  constructor(world: World, request: Partial<Messages["EventsRequest"]> = {}) {
    const follow = world.master.handlers["Watch.Events"];
    if (follow === undefined) throw new Error("the master does not serve Watch.Events");
    const codec = codecOf("EventsResponse");
    this.#inlet = follow(
      { ...emptyMessage("EventsRequest"), ...request },
      {
        send: (message) => void this.received.push(codec.decode(codec.encode(message))),
        ready: () => this.isReady,
        end: (error) => {
          this.ended ??= error ?? "ended";
        },
      },
      { address: "test", principal: "local" },
    );
    world.clock.settle();
  }

  get events(): WatchEvent[] {
    return this.received.filter((message) => !message.snapshot).flatMap((message) => message.events);
  }

  get snapshot(): WatchEvent[] {
    return this.received.filter((message) => message.snapshot).flatMap((message) => message.events);
  }

  drain(): void {
    this.isReady = true;
    this.#inlet.drained();
  }

  close(): void {
    this.#inlet.closed(undefined);
  }
}

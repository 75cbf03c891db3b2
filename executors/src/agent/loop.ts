import { type Cancel, type Resources, withRevocable } from "@muster/foundation";
import type { AgentNetworks, ConnectResponse, OverlayChange, TaskReport } from "@muster/proto";
import type { ArtifactsEvents } from "../world/artifacts.ts";
import type { ImageEvents } from "../world/images.ts";
import type { NetEvents } from "../world/nets.ts";
import type { ProcEvents } from "../world/proc.ts";
import { CatalogSession } from "./catalog-session.ts";
import { CheckpointWriter } from "./checkpoint/writer.ts";
import type { HostFacts } from "./config.ts";
import { nextWakeMs } from "./core/deadlines.ts";
import type { AgentInput } from "./core/effects.ts";
import { withHostNetworks } from "./core/host-networks.ts";
import type { AgentState, Now } from "./core/model.ts";
import { availableModes, unavailableOverlays } from "./core/overlays.ts";
import { hostPorts } from "./core/places.ts";
import { presentStatus } from "./core/status.ts";
import { step } from "./core/step.ts";
import type { ExecutorSessions } from "./executor-sessions.ts";
import { taskIdOf } from "./folders.ts";
import type { LoopDeps } from "./loop-deps.ts";
import { type AgentMetrics, agentMetrics } from "./metrics.ts";
import { overlayNewsFromWire } from "./overlay-wire.ts";
import { Performer } from "./performer.ts";
import { PortScan } from "./port-scan.ts";
import type { Session } from "./session.ts";
import { launchFromWire } from "./wire.ts";
import { operationFromWire } from "./wire-operations.ts";

/** The free space of the disk is asked for again when what is known is older. */
export const spaceAgeMsMax = 5_000;

/**
 * The only place where an agent's state changes: inputs go through `step`, effects become calls, and at the end of each
 * tick what has gathered is written and sent.
 */
export class AgentLoop {
  readonly state: AgentState;
  readonly #deps: LoopDeps;
  readonly #writer: CheckpointWriter;
  readonly #metrics: AgentMetrics;
  readonly #session: () => Session;
  readonly #executors: ExecutorSessions;
  readonly #catalog: CatalogSession;
  readonly #host: HostFacts;
  readonly #portScan: PortScan;
  readonly #performer: Performer;
  #tick: Cancel | undefined;
  #wake: Cancel | undefined;
  #wakeAtMs = Number.POSITIVE_INFINITY;
  #spaceAtMs = Number.NEGATIVE_INFINITY;
  /** Launches that wait for the free space to be known. */
  #launches: AgentInput[] = [];
  #afterTick: (() => void) | undefined;
  /** What is followed has changed in this tick. */
  #isCatalogStale = false;
  #isStopped = false;
  readonly #endings = new Map<string, Set<() => void>>();

  constructor(
    deps: LoopDeps,
    state: AgentState,
    session: () => Session,
    executors: ExecutorSessions,
    host: HostFacts,
    masters: readonly string[],
  ) {
    this.#deps = deps;
    this.#host = host;
    this.state = state;
    this.#session = session;
    this.#executors = executors;
    this.#catalog = new CatalogSession(
      { ...deps, random: deps.random.stream("catalog") },
      masters,
      () => state.epochSeen,
      (isInDoubt, entries) => this.post({ type: "catalog", isInDoubt, entries }),
    );
    this.#metrics = agentMetrics(deps.metrics);
    this.#writer = new CheckpointWriter(deps, state, {
      settled: (purpose, failure) =>
        this.post(failure ? { type: "not-durable", purpose, failure } : { type: "durable", purpose }),
      forgotten: (key) => deps.proc.remove(key),
      committed: (durationMs) => this.#metrics.committed(durationMs),
      epochSettled: (epoch, failure) => {
        if (!failure) state.epochSeen = Math.max(state.epochSeen, epoch);
        session().epochSettled(failure === undefined);
      },
    });
    this.#portScan = new PortScan({
      ...{ clock: deps.clock, hostPorts: deps.hostPorts, state },
      networks: (networks) => this.post({ type: "host-networks", networks }),
      changed: () => this.#sendUpdate(),
    });
    this.#performer = new Performer(deps, {
      ...{ writer: this.#writer, executors, session },
      post: (input) => this.post(input),
      isStarting: (key) => this.#isStarting(key),
      portsTaken: () => this.#portScan.soon(),
      catalogChanged: () => {
        this.#isCatalogStale = true;
      },
      sendUpdate: () => this.#sendUpdate(),
    });
  }

  /** What is to be told to `Proc`. */
  readonly procEvents: ProcEvents = {
    started: (id, started) => this.post({ type: "started", id, started }),
    memoryKilled: (id, kills) => this.post({ type: "memory-killed", id, kills }),
    failed: (id, message) => this.post({ type: "start-failed", id, message }),
    exited: (id, exit) => this.post({ type: "exited", id, exit }),
    lost: (id) => this.post({ type: "supervisor-lost", id }),
    absent: (id) => this.post({ type: "absent", id }),
  };

  /** What is to be told to `Nets`. */
  readonly netEvents: NetEvents = {
    ready: (key, ready) => this.post({ type: "net-ready", key, ready }),
    failed: (key, message) => this.post({ type: "net-failed", key, message }),
    gone: (key) => this.post({ type: "net-gone", key }),
    overlay: (name, state) => this.post({ type: "overlay", name, state }),
  };

  /** What is to be told to `Images`. */
  readonly imageEvents: ImageEvents = {
    progress: (id, message) => this.post({ type: "image-progress", id, message }),
    ready: (id, ready) => this.post({ type: "image-ready", id, ready }),
    failed: (id, message) => this.post({ type: "image-failed", id, message }),
  };

  /** What is to be told to `Artifacts`. */
  readonly artifactsEvents: ArtifactsEvents = {
    progress: (id, message) => this.post({ type: "artifacts-progress", id, message }),
    ready: (id, message) => this.post({ type: "artifacts-ready", id, message }),
    failed: (id, message) => this.post({ type: "artifacts-failed", id, message }),
  };

  /** Calls back when the task's process has ended, also if it is to be started again; gives how to stop that. */
  whenEnded(id: string, ended: () => void): Cancel {
    const listeners = this.#endings.get(id) ?? new Set();
    this.#endings.set(id, listeners.add(ended));
    return () => {
      listeners.delete(ended);
      if (listeners.size === 0) this.#endings.delete(id);
    };
  }

  now(): Now {
    return { monotonicMs: this.#deps.clock.monotonicMs(), epochMs: this.#deps.clock.epochMs() };
  }

  post(input: AgentInput): void {
    if (this.#isStopped) return;
    for (const effect of step(this.state, input, this.now())) this.#performer.perform(effect);
    if (input.type === "exited" || input.type === "supervisor-lost")
      for (const ended of this.#endings.get(taskIdOf(input.id)) ?? []) ended();
    this.endOfTick();
  }

  /** Acts on a master's message, field by field in the order of their numbers. */
  message(message: ConnectResponse): void {
    if (message.registered) {
      this.#portScan.forget();
      this.post({ type: "registered" });
      this.#deps.nets?.beginOverlays(this.state.config.agentId);
      this.#portScan.now();
    }
    for (const { frameworkId, taskId, updateId } of message.acknowledgements)
      this.post({ type: "acknowledged", frameworkId, taskId, updateId });
    for (const wire of message.launches) {
      const launch = launchFromWire(wire);
      if (launch) this.#launch({ type: "launch", launch });
      else this.#deps.log.warn({ frameworkId: wire.frameworkId }, "a launch without ids was dropped");
    }
    for (const { frameworkId, taskId, graceMs, reason, message: text } of message.kills)
      this.#inOrder({ type: "kill", frameworkId, taskId, graceMs, reason, message: text });
    for (const frameworkId of message.frameworksRemoved) this.#inOrder({ type: "framework-removed", frameworkId });
    if (message.drain) this.#inOrder({ type: "drain", graceMsMax: message.drain.graceMsMax });
    for (const { frameworkId, executorId, data } of message.executorMessages)
      this.#inOrder({ type: "executor-told", frameworkId, executorId, data });
    for (const wire of message.operations) {
      const operation = operationFromWire(wire);
      if (operation) this.#inOrder({ type: "operation", operation });
      else this.#deps.log.warn({ operationId: wire.operationId }, "an operation that says nothing was dropped");
    }
    if (message.overlayChanges.length > 0) this.#takeOverlays(message.overlayChanges);
  }

  /** Told to a master at the beginning of a session. */
  reports(): TaskReport[] {
    const context = { state: this.state, now: this.now(), effects: [] };
    const reports: TaskReport[] = [];
    for (const task of this.state.tasks.values()) {
      if (task.phase === "ended" && task.queue.length === 0) continue;
      const { group } = task;
      reports.push({
        frameworkId: group.frameworkId,
        frameworkName: group.frameworkName,
        role: group.role,
        task: task.info,
        launchId: group.launchId,
        // Ports on an address of the group's own are none of the host's.
        ports: hostPorts(group),
        status: presentStatus(context, task),
        acknowledged: task.queue.length === 0,
        executorId: task.executor ? (group.executor?.id ?? "") : "",
        reserved: [...group.reserved],
        volumes: [...group.volumes],
      });
    }
    return reports;
  }

  /** All that tasks may use, with what is lent. */
  resources(): Resources {
    return withRevocable(this.#host.resources, this.state.lending.cpuMillis);
  }

  /** Network modes that work now, and overlay networks that do not. */
  networks(): AgentNetworks {
    return { modes: availableModes(this.state), unavailable: unavailableOverlays(this.state) };
  }

  keepEpoch(epoch: number): void {
    this.#writer.epoch(epoch);
    this.endOfTick();
  }

  /** Calls back at the end of every tick, until told otherwise. */
  watchTicks(watcher: (() => void) | undefined): void {
    this.#afterTick = watcher;
    this.endOfTick();
  }

  /** Ends timers, then calls back when nothing is left to be written. */
  stop(done: () => void): void {
    this.#tick?.();
    this.#wake?.();
    this.#portScan.stop();
    this.#catalog.stop();
    this.#afterTick = undefined;
    this.#isStopped = true;
    this.#writer.whenIdle(done);
  }

  /** Asks for what gathered in this tick to be written and sent at its end. */
  endOfTick(): void {
    this.#tick ??= this.#deps.clock.after(0, () => {
      this.#tick = undefined;
      this.#writer.flush();
      this.#session().flush();
      this.#executors.flush();
      this.#followCatalog();
      this.#planWake();
      this.#metrics.observe(this.state);
      this.#afterTick?.();
    });
  }

  #launch(input: AgentInput): void {
    this.#metrics.launched();
    const now = this.now().monotonicMs;
    if (this.#launches.length === 0 && now - this.#spaceAtMs < spaceAgeMsMax) {
      this.post(input);
      return;
    }
    this.#launches.push(input);
    if (this.#launches.length > 1) return;
    this.#deps.disk.space((space) => {
      this.#spaceAtMs = this.now().monotonicMs;
      this.post({ type: "space", space });
      const waiting = this.#launches;
      this.#launches = [];
      for (const launch of waiting) this.post(launch);
    });
  }

  /** Whether something of the group is still to begin. */
  #isStarting(key: string): boolean {
    const group = this.#isStopped ? undefined : this.state.groups.get(key);
    return group?.tasks.some(({ phase }) => phase !== "ended") ?? false;
  }

  /** What came after a launch must not overtake it. */
  #inOrder(input: AgentInput): void {
    if (this.#launches.length > 0) this.#launches.push(input);
    else this.post(input);
  }

  #followCatalog(): void {
    if (!this.#isCatalogStale) return;
    this.#isCatalogStale = false;
    this.#catalog.want([...this.state.catalog.wanted.values()].map(({ need }) => need));
  }

  /** One timer for everything that has a time. */
  #planWake(): void {
    if (this.#isStopped) return;
    const now = this.now();
    const at = nextWakeMs(this.state, now) ?? Number.POSITIVE_INFINITY;
    if (at === this.#wakeAtMs && this.#wake) return;
    this.#wake?.();
    this.#wake = undefined;
    this.#wakeAtMs = at;
    if (at === Number.POSITIVE_INFINITY) return;
    // A timer may fire a fraction early: a whole millisecond more saves a second round.
    this.#wake = this.#deps.clock.after(Math.max(1, Math.ceil(at - now.monotonicMs)), () => {
      this.#wake = undefined;
      this.post({ type: "wake" });
    });
  }

  #takeOverlays(changes: readonly OverlayChange[]): void {
    const { nets, log } = this.#deps;
    const news = overlayNewsFromWire(changes, (fault) => log.warn({ reason: fault.message }, "news were left out"));
    nets?.tellOverlays(news);
  }

  /** An update tells all attributes, ports and networks: none would mean that there are none any more. */
  #sendUpdate(): void {
    const attributes = Object.entries(this.state.config.attributes).map(([name, value]) => ({ name, value }));
    const { modes, unavailable } = this.networks();
    const networks = { modes, unavailable: [...this.#host.unavailable, ...unavailable] };
    this.#session().sendUpdate({
      resources: this.resources(),
      attributes: withHostNetworks(attributes, this.state.hostNetworks),
      foreignPorts: [...this.#portScan.foreignPorts],
      networks,
    });
  }
}

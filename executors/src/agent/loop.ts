import {
  type Cancel,
  type Clock,
  type Log,
  type Metrics,
  type Random,
  type Resources,
  type Transport,
  withRevocable,
} from "@muster/foundation";
import type { AgentNetworks, ConnectResponse, OverlayChange, TaskReport } from "@muster/proto";
import type { Artifacts, ArtifactsEvents } from "../world/artifacts.ts";
import type { Disk } from "../world/disk.ts";
import type { DiskMeter } from "../world/disk-meter.ts";
import type { GroupFiles } from "../world/group-files.ts";
import type { HostNetwork, HostPorts } from "../world/host-ports.ts";
import type { ImageEvents, Images } from "../world/images.ts";
import type { Materials } from "../world/materials.ts";
import type { NetEvents, Nets } from "../world/nets.ts";
import type { Prober } from "../world/prober.ts";
import type { Proc, ProcEvents } from "../world/proc.ts";
import type { ProcessorMeter } from "../world/processor-meter.ts";
import type { Volumes } from "../world/volumes.ts";
import { CatalogSession } from "./catalog-session.ts";
import { CheckpointWriter } from "./checkpoint/writer.ts";
import type { HostFacts } from "./config.ts";
import { nextWakeMs } from "./core/deadlines.ts";
import type { AgentEffect, AgentInput } from "./core/effects.ts";
import { withHostNetworks } from "./core/host-networks.ts";
import type { AgentState, Now } from "./core/model.ts";
import { availableModes, unavailableOverlays } from "./core/overlays.ts";
import { hostPorts } from "./core/places.ts";
import { presentStatus } from "./core/status.ts";
import { step } from "./core/step.ts";
import type { ExecutorSessions } from "./executor-sessions.ts";
import { fetchFiles } from "./fetch-files.ts";
import { taskIdOf } from "./folders.ts";
import { type AgentMetrics, agentMetrics } from "./metrics.ts";
import { overlayNewsFromWire } from "./overlay-wire.ts";
import type { Session } from "./session.ts";
import { launchFromWire } from "./wire.ts";
import { operationFromWire } from "./wire-operations.ts";

/** The free space of the disk is asked for again when what is known is older. */
export const spaceAgeMsMax = 5_000;
/** The host's ports are looked through so often. */
export const portScanMs = 30_000;
/** And not more often than that, however many launches find their ports taken. */
export const portScanMsMin = 1_000;
/** Ports of others that a master is told of. */
export const foreignPortsMax = 4_096;

export interface LoopDeps {
  readonly clock: Clock;
  readonly random: Random;
  readonly transport: Transport;
  readonly disk: Disk;
  readonly proc: Proc;
  readonly hostPorts: HostPorts;
  readonly prober: Prober;
  readonly log: Log;
  /** Absent: groups can have the host's network alone. */
  readonly nets?: Nets;
  /** Absent: no task can have an image. */
  readonly images?: Images;
  /** Absent: no task can have artifacts. */
  readonly artifacts?: Artifacts;
  /** Absent: limits of disk are booked, not enforced. */
  readonly diskMeter?: DiskMeter;
  /** Absent: nothing is lent. */
  readonly processorMeter?: ProcessorMeter;
  /** Absent: the agent can keep no volumes. */
  readonly volumes?: Volumes;
  /** Absent: tasks begin with empty folders. */
  readonly groupFiles?: GroupFiles;
  /** Absent: no task can have templates or secrets. */
  readonly materials?: Materials;
  /** With the prefix "muster_agent_". Absent: nothing is counted. */
  readonly metrics?: Metrics;
}

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
  #tick: Cancel | undefined;
  #wake: Cancel | undefined;
  #wakeAtMs = Number.POSITIVE_INFINITY;
  #portScan: Cancel | undefined;
  #portScanAtMs = Number.NEGATIVE_INFINITY;
  #isScanSoon = false;
  #foreignPorts: readonly number[] = [];
  #portsTold = "";
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
    for (const effect of step(this.state, input, this.now())) this.#perform(effect);
    if (input.type === "exited" || input.type === "supervisor-lost")
      for (const ended of this.#endings.get(taskIdOf(input.id)) ?? []) ended();
    this.endOfTick();
  }

  /** Acts on a master's message, field by field in the order of their numbers. */
  message(message: ConnectResponse): void {
    if (message.registered) {
      this.#foreignPorts = [];
      this.#portsTold = "";
      this.post({ type: "registered" });
      this.#deps.nets?.beginOverlays(this.state.config.agentId);
      this.#scanPorts();
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
    this.#portScan?.();
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

  #perform(effect: AgentEffect): void {
    const { proc, hostPorts, prober, nets, images, artifacts, diskMeter, processorMeter, volumes, materials, log } =
      this.#deps;
    const { groupFiles } = this.#deps;
    switch (effect.type) {
      case "check-ports": {
        const { key } = effect;
        hostPorts.check(effect.questions, (taken) => {
          this.post({ type: "ports-checked", key, taken });
          if (taken.length > 0) this.#scanPortsSoon();
        });
        return;
      }
      case "find-listeners":
        hostPorts.listeners(effect.tasks, (found) => this.post({ type: "listeners-found", found }));
        return;
      case "measure-disks":
        diskMeter?.measure(effect.questions, (found) => this.post({ type: "disks-measured", found }));
        return;
      case "measure-processor":
        processorMeter?.measure(effect.questions, (use) => this.post({ type: "processor-measured", use }));
        return;
      case "find-holders": {
        const { id } = effect;
        hostPorts.groupListeners(effect.tasks, (found) => this.post({ type: "holders-found", id, found }));
        return;
      }
      case "persist-intent":
        this.#writer.intent(effect.key, effect.purpose);
        return;
      case "persist-state":
        this.#writer.state(effect.id, effect.purpose);
        return;
      case "persist-set-aside":
        this.#writer.setAside(effect.purpose);
        return;
      case "make-volume": {
        const { operationId } = effect;
        volumes?.make(effect.volumeId, (failure) => this.post({ type: "volume-made", operationId, failure }));
        return;
      }
      case "remove-volume": {
        const { operationId } = effect;
        volumes?.remove(effect.volumeId, (failure) => this.post({ type: "volume-removed", operationId, failure }));
        return;
      }
      case "send-operation-result":
        this.#session().sendOperationResult(effect.result);
        return;
      case "read-materials": {
        const { id } = effect.wish;
        materials?.read(effect.wish, (found) => this.post({ type: "materials-read", id, found }));
        return;
      }
      case "refuse-materials": {
        const { id, problem } = effect;
        this.#deps.clock.after(0, () => this.post({ type: "materials-read", id, found: { ok: false, problem } }));
        return;
      }
      case "make-file": {
        const { index, file } = effect;
        materials?.write(file, (problem) => this.post({ type: "file-made", id: file.id, index, problem }));
        return;
      }
      case "run-script": {
        const { id, index } = effect;
        prober.probe(effect.target, effect.timeoutMs, (result) =>
          this.post({ type: "script-ended", id, index, result }),
        );
        return;
      }
      case "follow-catalog":
        this.#isCatalogStale = true;
        return;
      case "forget":
        this.#writer.forget(effect.group);
        return;
      case "keep-images":
        images?.keep(effect.ids);
        return;
      case "prepare-image":
        if (images) images.prepare(effect.wish);
        else this.#withoutImages(effect.wish.id);
        return;
      case "take-files": {
        const { key, moves } = effect;
        const done = (failure: string | undefined): void => this.post({ type: "files-taken", key, failure });
        if (groupFiles) groupFiles.take(moves, done);
        else this.#deps.clock.after(0, () => done("this agent can't move files"));
        return;
      }
      case "fetch-files": {
        const { key, wish } = effect;
        const done = (failure: string | undefined): void => this.post({ type: "files-taken", key, failure });
        if (groupFiles) fetchFiles({ ...this.#deps, groupFiles }, wish, () => this.#isStarting(key), done);
        else this.#deps.clock.after(0, () => done("this agent can't take over files"));
        return;
      }
      case "release-image":
        images?.release(effect.id);
        return;
      case "fetch-artifacts":
        if (artifacts) artifacts.prepare(effect.wish);
        else this.#withoutArtifacts(effect.wish.id);
        return;
      case "release-artifacts":
        artifacts?.release(effect.id);
        return;
      case "keep-nets":
        nets?.keep(effect.specs);
        return;
      case "build-net":
        if (nets) nets.build(effect.spec);
        else this.#withoutNets(effect.spec.key);
        return;
      case "remove-net":
        nets?.remove(effect.spec);
        return;
      case "tell-networks":
      case "tell-resources":
        this.#sendUpdate();
        return;
      case "spawn":
        proc.spawn(effect.spec);
        return;
      case "adopt":
        proc.adopt(effect.id, effect.bootId);
        return;
      case "signal":
        proc.signal(effect.id, effect.signal);
        return;
      case "kill":
        proc.kill(effect.id);
        return;
      case "probe": {
        const { id, index } = effect;
        prober.probe(effect.target, effect.timeoutMs, (result) => this.post({ type: "probed", id, index, result }));
        return;
      }
      case "send":
        this.#session().sendStatus(effect.status);
        return;
      case "executor-send":
        this.#executors.send(effect.session, effect.order);
        return;
      case "executor-end":
        this.#executors.end(effect.session, effect.refusal);
        return;
      case "executor-relay": {
        const { frameworkId, executorId, data } = effect;
        this.#session().sendExecutorMessage({ frameworkId, executorId, data: Buffer.from(data) });
        return;
      }
      case "log":
        log[effect.level](effect.fields, effect.message);
        return;
    }
  }

  /** A group of an earlier life of the agent, which could do more. */
  #withoutNets(key: string): void {
    const message = "this agent can't make networks any more";
    this.#deps.clock.after(0, () => this.post({ type: "net-failed", key, message }));
  }

  #withoutArtifacts(id: string): void {
    const message = "artifacts can't be fetched on this agent";
    this.#deps.clock.after(0, () => this.post({ type: "artifacts-failed", id, message }));
  }

  #withoutImages(id: string): void {
    const message = "this agent can't prepare images any more";
    this.#deps.clock.after(0, () => this.post({ type: "image-failed", id, message }));
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

  /** A port of others has been met that the master may not know of: it leaves the next offer, not one in half a minute. */
  #scanPortsSoon(): void {
    if (this.#isScanSoon || this.#isStopped) return;
    this.#isScanSoon = true;
    this.#portScan?.();
    const sinceMs = this.now().monotonicMs - this.#portScanAtMs;
    this.#portScan = this.#deps.clock.after(Math.max(0, portScanMsMin - sinceMs), () => this.#scanPorts());
  }

  /** Tells the master which ports of the host others hold, and the host's networks, when that has changed. */
  #scanPorts(): void {
    this.#portScan?.();
    if (this.#isStopped) return;
    this.#isScanSoon = false;
    this.#portScanAtMs = this.now().monotonicMs;
    this.#portScan = this.#deps.clock.after(portScanMs, () => this.#scanPorts());
    if (!this.state.registered) return;
    this.#deps.hostPorts.networks((networks) => {
      this.post({ type: "host-networks", networks });
      this.#deps.hostPorts.scan((ports) => this.#tellPorts(ports, networks));
    });
  }

  #tellPorts(ports: readonly number[], networks: readonly HostNetwork[]): void {
    const foreign = ports.filter((port) => !this.state.ports.held.has(port)).slice(0, foreignPortsMax);
    const text = [...foreign, ...networks.map(({ name, ip }) => `${name}=${ip}`)].join(",");
    if (text === this.#portsTold || this.#isStopped) return;
    this.#portsTold = text;
    this.#foreignPorts = foreign;
    this.#sendUpdate();
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
      foreignPorts: [...this.#foreignPorts],
      networks,
    });
  }
}

import { type Handlers, MusterError, randomText } from "@muster/foundation";
import type { Registration } from "@muster/proto";
import type { DiskWrite } from "../world/disk.ts";
import type { ExecRunner, LogReader, TaskFiles, TaskMeter } from "../world/task-files.ts";
import { type Loaded, loadCheckpoint, paths } from "./checkpoint/load.ts";
import { encodeRecord } from "./checkpoint/record.ts";
import { type AgentConfig, type CompleteConfig, completeConfig } from "./config.ts";
import { createState } from "./core/create-state.ts";
import { withHostNetworks } from "./core/host-networks.ts";
import type { CoreConfig } from "./core/model.ts";
import { recoverSetAside } from "./core/set-aside/recover.ts";
import { ExecutorSessions } from "./executor-sessions.ts";
import { AgentLoop } from "./loop.ts";
import type { LoopDeps } from "./loop-deps.ts";
import { Session } from "./session.ts";
import { Sweeper } from "./sweeper.ts";
import { tasksHandlers } from "./tasks-service.ts";

/** What an agent works with: what its loop does, and what it answers calls about tasks with. */
export interface AgentDeps extends LoopDeps {
  /** Absent: Tasks.Logs answers "unsupported". */
  readonly logReader?: LogReader;
  /** Absent: Tasks.Exec answers "unsupported". */
  readonly execRunner?: ExecRunner;
  /** Absent: Tasks.ListFiles and Tasks.ReadFile answer "unsupported". */
  readonly taskFiles?: TaskFiles;
  /** Absent: Tasks.Stats answers "unsupported". */
  readonly taskMeter?: TaskMeter;
  /**
   * Called if the agent can't begin, for instance since its disk can't be read, or when it has ended its tasks since the
   * master does not want it any more. Default: the log says so.
   */
  readonly failed?: (error: MusterError) => void;
}

export interface Agent {
  /** Tasks.Logs, Tasks.Exec, Tasks.Kill, Tasks.ListFiles, Tasks.ReadFile, Tasks.Stats, LeftFiles.Take. */
  readonly handlers: Handlers;
  /** Executors.Attach: for `executorSocket`, and for nobody beyond this host. */
  readonly executorHandlers: Handlers;
  start(): void;
  /**
   * "leave": tasks run on and are taken up again by the next agent of this data folder. "kill": tasks are ended with
   * REASON_AGENT_SHUTDOWN, and the master is told that the agent leaves. Default: "leave".
   */
  stop(done: () => void, tasks?: "leave" | "kill"): void;
  /** Empty until the agent's records have been read. */
  agentId(): string;
}

/** One agent. Nothing happens before `start`. */
export function createAgent(deps: AgentDeps, config: AgentConfig): Agent {
  return new RunningAgent(deps, completeConfig(config));
}

class RunningAgent implements Agent {
  readonly handlers: Handlers;
  readonly executorHandlers: Handlers;
  readonly #executors: ExecutorSessions;
  readonly #deps: AgentDeps;
  readonly #config: CompleteConfig;
  readonly #session: Session;
  #loop: AgentLoop | undefined;
  #sweeper: Sweeper | undefined;
  #isStopped = false;
  #isDismissed = false;

  constructor(deps: AgentDeps, config: CompleteConfig) {
    this.#deps = deps;
    this.#config = config;
    this.handlers = tasksHandlers(() => this.#loop, deps, config);
    this.#executors = new ExecutorSessions(() => this.#loop, config.name);
    this.executorHandlers = { "Executors.Attach": this.#executors.handler };
    this.#session = new Session(deps, config.masters, {
      greeting: () => ({ registration: this.#registration(), tasks: this.#loop?.reports() ?? [] }),
      epochSeen: () => this.#loop?.state.epochSeen ?? 0,
      keepEpoch: (epoch) => this.#loop?.keepEpoch(epoch),
      message: (message) => this.#loop?.message(message),
      dismissed: (reason) => this.#dismissed(reason),
      disconnected: () => this.#loop?.post({ type: "disconnected" }),
      changed: () => this.#loop?.endOfTick(),
    });
  }

  agentId(): string {
    return this.#loop?.state.config.agentId ?? "";
  }

  start(): void {
    this.#deps.disk.readAll((files, failure) => {
      if (this.#isStopped) return;
      if (failure) this.#fail(new MusterError("unavailable", `the agent's folder can't be read: ${failure.message}`));
      else this.#identify(loadCheckpoint(files));
    });
  }

  stop(done: () => void, tasks: "leave" | "kill" = "leave"): void {
    const loop = this.#loop;
    if (loop && tasks === "kill" && !this.#isStopped) this.#endTasks(loop, () => this.#finish(done, true));
    else this.#finish(done, false);
  }

  #finish(done: () => void, isLeaving: boolean): void {
    this.#isStopped = true;
    this.#sweeper?.stop();
    this.#session.stop(isLeaving, () => {
      this.#executors.stop();
      this.#deps.proc.stop();
      this.#deps.prober.stop();
      const last = (): void => {
        if (this.#loop) this.#loop.stop(done);
        else this.#deps.clock.after(0, done);
      };
      const { nets, images, artifacts } = this.#deps;
      const stopNets = (): void => (nets ? nets.stop(last) : last());
      const stopImages = (): void => (images ? images.stop(stopNets) : stopNets());
      if (artifacts) artifacts.stop(stopImages);
      else stopImages();
    });
  }

  /** Waits for tasks and their networks to end, then a little for their last statuses to be taken in: the next agent tells the others. */
  #endTasks(loop: AgentLoop, done: () => void): void {
    const { clock } = this.#deps;
    const { shutdownGraceMsMax, leavingWaitMs } = this.#config;
    let isDone = false;
    const finish = (): void => {
      if (isDone) return;
      isDone = true;
      loop.watchTicks(undefined);
      done();
    };
    let isWaiting = false;
    loop.post({ type: "shut-down", graceMsMax: shutdownGraceMsMax });
    loop.watchTicks(() => {
      const tasks = [...loop.state.tasks.values()];
      if (tasks.some((task) => task.phase !== "ended")) return;
      if ([...loop.state.groups.values()].some(({ net }) => net.name === "removing")) return;
      if (!loop.state.registered || tasks.every((task) => task.queue.length === 0)) finish();
      else if (!isWaiting) {
        isWaiting = true;
        clock.after(leavingWaitMs, finish);
      }
    });
    clock.after(shutdownGraceMsMax + shutdownLimitMs, finish);
  }

  /** The master will never take this agent again: its tasks end, and then the agent. */
  #dismissed(reason: string): void {
    const loop = this.#loop;
    if (!loop || this.#isStopped || this.#isDismissed) return;
    this.#isDismissed = true;
    this.#deps.log.warn({ reason }, "the master has dismissed this agent: its tasks are ended");
    this.#session.stop(false, () => {
      loop.post({ type: "disconnected" });
      this.#endTasks(loop, () => this.#finish(() => this.#fail(new MusterError("wrong-state", reason)), false));
    });
  }

  /** An id is durable before anybody hears it. */
  #identify(loaded: Loaded): void {
    const { disk, random, clock, log } = this.#deps;
    const agentId = loaded.agentId ?? `agent-${clock.epochMs().toString(36)}-${randomText(random, 12)}`;
    const writes: DiskWrite[] = [];
    for (const { path, reason } of loaded.damaged) {
      log.error({ path, reason }, "a record was damaged and put into quarantine");
      writes.push({ type: "quarantine", path });
    }
    const bytes = encodeRecord({ agentId });
    writes.push({ type: "put", path: paths.agent, bytes }, { type: "put", path: paths.agentCopy, bytes });
    if (loaded.epochSeen > 0)
      writes.push({ type: "put", path: paths.epoch, bytes: encodeRecord({ epoch: loaded.epochSeen }) });
    disk.commit(writes, (failure) => {
      if (this.#isStopped) return;
      // An id that was read is durable already; a new one has to be.
      if (failure && loaded.agentId === undefined)
        this.#fail(new MusterError("unavailable", `the agent's id can't be recorded: ${failure.message}`));
      else this.#begin(agentId, loaded);
    });
  }

  #begin(agentId: string, loaded: Loaded): void {
    const config = this.#config;
    const range = {
      first: config.dynamicPortFirst,
      last: config.dynamicPortLast,
      reuseAfterMs: config.portReuseAfterMs,
    };
    const state = createState(this.#coreConfig(agentId), range, this.#deps.random.stream("ports"), loaded.epochSeen);
    const loop = new AgentLoop(this.#deps, state, () => this.#session, this.#executors, config.host, config.masters);
    this.#loop = loop;
    this.#deps.proc.start(loop.procEvents, new Set(loaded.groups.map(({ key }) => key)));
    this.#deps.nets?.start(loop.netEvents);
    this.#deps.images?.start(loop.imageEvents);
    this.#deps.artifacts?.start(loop.artifactsEvents);
    loop.post({ type: "host-networks", networks: config.host.hostNetworks ?? [] });
    this.#takeSetAside(loop, loaded);
    loop.post({ type: "recovered", groups: loaded.groups });
    this.#sweeper = new Sweeper(this.#deps.clock, this.#deps.proc, state, config.sweepMs);
    this.#sweeper.start();
    this.#deps.log.info({ agentId, tasks: state.tasks.size, epoch: loaded.epochSeen }, "agent begins");
    this.#session.start();
  }

  /** What an earlier life has set aside, and what the settings say now. */
  #takeSetAside(loop: AgentLoop, { setAside: record }: Loaded): void {
    const { reservations } = this.#config;
    const { state, kept } = recoverSetAside(this.agentId(), record, reservations);
    for (const reservationId of kept)
      this.#deps.log.warn(
        { reservationId },
        "a reservation of the settings stays as it was: volumes or others are in it",
      );
    this.#deps.volumes?.keep(new Set(state.volumes.keys()));
    if (record !== undefined || state.reservations.size > 0) loop.post({ type: "set-aside", setAside: state });
  }

  #coreConfig(agentId: string): CoreConfig {
    const config = this.#config;
    return {
      agentId,
      agentName: config.name,
      dataFolder: config.dataFolder,
      bootId: this.#deps.proc.bootId,
      ip: config.host.ip,
      attributes: Object.fromEntries(config.host.attributes.map(({ name, value }) => [name, value])),
      taskEnvironment: config.taskEnvironment,
      drivers: new Set(config.host.drivers),
      networkModes: new Set(config.host.networkModes),
      executorSocket: config.executorSocket,
      mayChangeUser: config.host.mayChangeUser,
      tasksMax: config.tasksMax,
      addressesMax: config.addressesMax,
      probesMax: config.probesMax,
      helperProbesMax: config.helperProbesMax,
      enforcePorts: config.enforcePorts,
      portWatchMs: config.portWatchMs,
      diskWatchMs: this.#deps.diskMeter && config.diskWatchMs,
      lentFraction: this.#deps.processorMeter ? config.lentFraction : 0,
      lendingWatchMs: config.lendingWatchMs,
      diskFreeBytesMin: config.diskFreeBytesMin,
      diskFreeFractionMin: config.diskFreeFractionMin,
      hostVolumes: new Map((config.host.hostVolumes ?? []).map((volume) => [volume.name, volume])),
      hasVolumes: this.#deps.volumes !== undefined,
      hasMaterials: this.#deps.materials !== undefined,
    };
  }

  #registration(): Registration {
    const { host, ...config } = this.#config;
    const { modes, unavailable } = this.#loop?.networks() ?? { modes: [...host.networkModes], unavailable: [] };
    return {
      agentId: this.agentId(),
      name: config.name,
      address: config.address,
      ip: host.ip,
      resources: this.#loop?.resources() ?? host.resources,
      attributes: withHostNetworks(host.attributes, this.#loop?.state.hostNetworks ?? new Map()),
      dynamicPortFirst: config.dynamicPortFirst,
      dynamicPortLast: config.dynamicPortLast,
      epochSeen: this.#loop?.state.epochSeen ?? 0,
      version: config.version,
      drivers: [...host.drivers],
      unavailable: [...host.unavailable, ...unavailable],
      bootId: this.#deps.proc.bootId,
      networkModes: modes,
      underlay: host.underlay ? { ...host.underlay, knownDigest: this.#deps.nets?.overlaysKnown() ?? "" } : null,
      reservations: [...(this.#loop?.state.setAside.kept.reservations.values() ?? [])],
      volumes: [...(this.#loop?.state.setAside.kept.volumes.values() ?? [])],
    };
  }

  #fail(error: MusterError): void {
    if (this.#deps.failed) this.#deps.failed(error);
    else this.#deps.log.error({ error }, "the agent can't begin");
  }
}

/** Beyond their grace, tasks that are being killed are waited for at most so long. */
const shutdownLimitMs = 10_000;

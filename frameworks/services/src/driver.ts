import {
  type ClusterView,
  countStart,
  createClusterView,
  createJobFollower,
  createJobServer,
  createScheduler,
  createStateClient,
  isTerminal,
  type JobFollower,
  type JobServer,
  type JobsWatchResponse,
  MusterError,
  type Offer,
  type Random,
  type Replier,
  type Result,
  type Runtime,
  randomText,
  revocableCapability,
  type Scheduler,
  type StateClient,
  type StateRecord,
  type TaskStatus,
} from "@muster/framework-sdk";
import { JobCalls } from "./calls.ts";
import { waitingFor } from "./core/dependencies.ts";
import { awaitsPromotion, isHeld, noteEnd } from "./core/deployments.ts";
import { launchWants } from "./core/launching.ts";
import { jobsToMove, leavingAgents } from "./core/leaving.ts";
import { emptyState, type JobEntry, type Now, type ServicesState, type Want } from "./core/model.ts";
import { lastGood } from "./core/proposals.ts";
import {
  epochKey,
  forgetJob,
  jobKey,
  jobsPrefix,
  loadRecords,
  restartsKey,
  restartsPrefix,
  restartsWrite,
  versionKey,
  versionsPrefix,
  versionWrite,
  volumesPrefix,
} from "./core/records.ts";
import { jobStatus, places, type Surroundings } from "./core/report.ts";
import { planJob } from "./core/rollout.ts";
import { takeStatus } from "./core/statuses.ts";
import { jobTypes } from "./core/versions.ts";
import { notNeededMs, RoleInterest } from "./interest.ts";
import { VolumeKeeper } from "./volume-keeper.ts";

export interface ServicesConfig {
  /** One or several masters, "host:port". */
  readonly address: string | readonly string[];
  /** Default: "services". */
  readonly name?: string;
  /** Roles whose jobs it takes. Default: "default" alone. */
  readonly roles?: readonly string[];
  /** Default: 24 h. */
  readonly failoverTimeoutMs?: number;
  readonly version?: string;
  /** Called when it can't start: what is stored can't be read. Default: it is thrown. */
  readonly failed?: (error: MusterError) => void;
}

/** The framework of long-running jobs. */
export interface Services {
  start(): void;
  /** Ends its session; tasks run on. */
  stop(done?: () => void): void;
  /** What it knows, for tests and checkers: to be read only. */
  readonly state: ServicesState;
}

export function createServices(runtime: Runtime, config: ServicesConfig): Services {
  return new Framework(runtime, config);
}

class Framework implements Services {
  readonly state: ServicesState;
  readonly #runtime: Runtime;
  readonly #config: ServicesConfig;
  readonly #random: Random;
  readonly #store: StateClient;
  readonly #scheduler: Scheduler;
  readonly #view: ClusterView;
  readonly #jobs: JobServer;
  /** Jobs of other frameworks that jobs here need. */
  readonly #others: JobFollower;
  readonly #interest: RoleInterest;
  readonly #calls: JobCalls;
  readonly #volumes: VolumeKeeper;
  /** All agents, as rooms: made only when a constraint asks for those that are not offered. */
  readonly #places = { [Symbol.iterator]: () => places(this.#view.agents)[Symbol.iterator]() };
  readonly #watchers = new Map<string, Set<Replier<JobsWatchResponse>>>();
  readonly #wants = new Map<string, readonly Want[]>();
  readonly #wakes = new Map<string, number>();
  readonly #purging = new Set<string>();
  #offers: Offer[] = [];
  /** Agents that are wanted back, as the feed said last. */
  #leaving: ReadonlyMap<string, string> = new Map();
  #isTickDue = false;
  #isStopped = true;
  #matchCount = 0;
  #cancelWake: (() => void) | undefined;
  #wakeAtMs = Number.POSITIVE_INFINITY;

  constructor(runtime: Runtime, config: ServicesConfig) {
    const { address, name = "services", roles = ["default"] } = config;
    this.#runtime = runtime;
    this.#config = config;
    this.#random = runtime.random.stream("services");
    this.state = emptyState(this.#random.stream("secrets"));
    this.#store = createStateClient(runtime, { address, framework: name });
    const framework = {
      name,
      roles,
      jobTypes,
      // A task that must give back what was lent is started anew, like any that was preempted.
      capabilities: [revocableCapability],
      ...(config.failoverTimeoutMs === undefined ? {} : { failoverTimeoutMs: config.failoverTimeoutMs }),
      ...(config.version === undefined ? {} : { version: config.version }),
    };
    this.#scheduler = createScheduler(
      runtime,
      { address, framework, durable: true, suppressedRoles: roles },
      {
        subscribed: ({ frameworkId }) => {
          this.#offers = [];
          this.#jobs.announce(frameworkId);
          this.#soon();
        },
        disconnected: () => {
          this.#offers = [];
        },
        offers: (offers) => {
          this.#offers.push(...offers);
          this.#soon();
        },
        rescinded: (offerId) => {
          this.#offers = this.#offers.filter((offer) => offer.offerId !== offerId);
        },
        // What is on such an agent moves as the feed says; who is asked need only agree.
        inverseOffers: (asked) =>
          this.#scheduler.answerInverseOffers(
            asked.map(({ inverseOfferId }) => inverseOfferId),
            true,
          ),
        update: (status) => this.#update(status),
        reconciled: ({ complete }) => {
          if (!complete || this.state.isReconciled) return;
          this.state.isReconciled = true;
          for (const name of this.state.jobs.keys()) this.state.dirty.add(name);
          this.#soon();
        },
      },
    );
    this.#interest = new RoleInterest(this.#scheduler, roles, runtime.clock, () => this.#soon());
    this.#view = createClusterView(runtime, { address }, () => this.#viewChanged());
    this.#calls = new JobCalls({
      state: this.state,
      roles,
      now: () => this.#now(),
      around: () => this.#around(),
      transact: (writes, done) => this.#store.transact(writes, done),
      changed: () => this.#soon(),
      watchers: (job) => this.#watchersOf(job),
      dropWatchers: (job) => this.#watchers.delete(job),
    });
    this.#volumes = new VolumeKeeper({
      state: this.state,
      clock: runtime.clock,
      log: runtime.log,
      now: () => this.#now(),
      transact: (writes, done) => this.#store.transact(writes, done),
      changed: () => this.#soon(),
    });
    this.#others = createJobFollower(runtime, { address }, (job) => this.#otherChanged(job));
    this.#jobs = createJobServer(runtime, { address, jobTypes }, this.#calls.handlers());
  }

  start(): void {
    if (!this.#isStopped) return;
    this.#isStopped = false;
    this.#load();
  }

  stop(done?: () => void): void {
    this.#isStopped = true;
    this.#cancelWake?.();
    this.#cancelWake = undefined;
    this.#interest.stop();
    this.#volumes.stop();
    this.#store.close();
    this.#view.stop();
    this.#jobs.stop();
    this.#others.stop();
    this.#scheduler.stop(done);
  }

  /** Reads all that is kept, counts this start, and only then opens the session. */
  #load(): void {
    const pages: (readonly StateRecord[])[] = [];
    const prefixes = [jobsPrefix, versionsPrefix, restartsPrefix, volumesPrefix];
    const next = (): void => {
      const prefix = prefixes[pages.length];
      if (prefix === undefined) {
        this.#loaded(pages);
        return;
      }
      this.#store.list(prefix, (result) => {
        if (result.ok) {
          pages.push(result.value);
          next();
        } else this.#fail(result.error);
      });
    };
    next();
  }

  #loaded(pages: readonly (readonly StateRecord[])[]): void {
    const faults = loadRecords(this.state, pages, this.#now());
    for (const fault of faults) this.#runtime.log.error(fault, "a record of the state can't be read");
    if (faults.length > 0) {
      const keys = faults.map(({ key }) => key).join(", ");
      this.#fail(new MusterError("internal", `records of the state can't be read: ${keys}`));
    } else this.#countStart();
  }

  #countStart(): void {
    const done = (result: Result<unknown>, epoch: number): void => {
      if (!result.ok) {
        if (result.error.kind === "stale") this.#countStart();
        else this.#fail(result.error);
        return;
      }
      this.state.epoch = epoch;
      const { size: jobCount } = this.state.jobs;
      this.#runtime.log.info({ epoch, jobCount }, "services framework starts");
      this.#view.start();
      this.#scheduler.start();
    };
    this.#store.get(epochKey, (result) => {
      if (!result.ok) {
        this.#fail(result.error);
        return;
      }
      const last = result.value ? Number.parseInt(result.value.value.toString(), 10) : 0;
      const epoch = countStart(last, this.#runtime.clock.epochMs());
      // The mark tells our own write from that of another process that counted to the same number.
      const put = Buffer.from(`${epoch} ${randomText(this.#random.stream("start"), 12)}`);
      this.#store.transact([{ key: epochKey, version: result.value?.version ?? 0, put }], (end) => done(end, epoch));
    });
  }

  #fail(error: MusterError): void {
    this.#runtime.log.error({ error }, "the services framework can't start");
    if (this.#config.failed === undefined) throw error;
    this.#config.failed(error);
  }

  #update(status: TaskStatus): void {
    takeStatus(this.state, status, this.#now());
    this.#soon();
  }

  /** Jobs that depend on agents look again: those that wait, and those that run on every one. */
  #viewChanged(): void {
    for (const [name, entry] of this.state.jobs)
      if (entry.current.job.type === "system" || entry.waiting.size > 0) this.state.dirty.add(name);
    if (this.state.released.size > 0) this.#soon();
    const leaving = leavingAgents(this.#view.agents);
    for (const { name } of jobsToMove(this.state, this.#leaving, leaving)) this.state.dirty.add(name);
    this.#leaving = leaving;
    if (this.#wants.size > 0) this.#interest.roomChanged(this.#allWants(), this.#around());
    if (this.state.dirty.size > 0) this.#soon();
  }

  /** Jobs that are needed and not here are another framework's. */
  #followOthers(): void {
    const names = new Set([...this.state.neededBy.keys()].filter((name) => !this.state.jobs.has(name)));
    for (const name of this.state.outside.keys()) if (!names.has(name)) this.state.outside.delete(name);
    this.#others.follow(names);
  }

  #otherChanged(name: string): void {
    const summary = this.#others.of(name);
    if (summary === undefined) this.state.outside.delete(name);
    else {
      const { state, desired, healthy } = summary;
      this.state.outside.set(name, { state, desired, healthy });
    }
    for (const dependent of waitingFor(this.state, name)) this.state.dirty.add(dependent);
    if (this.state.dirty.size > 0) this.#soon();
  }

  #soon(): void {
    if (this.#isTickDue || this.#isStopped) return;
    this.#isTickDue = true;
    this.#runtime.clock.after(0, () => {
      this.#isTickDue = false;
      if (!this.#isStopped && this.state.epoch > 0) this.#tick();
    });
  }

  /** Once a tick: what has changed is decided, offers are answered, and whoever watches is told. */
  #tick(): void {
    const now = this.#now();
    for (const name of this.state.dirty) {
      this.#decide(name, now);
      for (const other of waitingFor(this.state, name)) this.state.dirty.add(other);
    }
    const changed = new Set(this.state.dirty);
    this.state.dirty.clear();
    this.#followOthers();
    this.#endOrphans();
    if (this.#scheduler.isSubscribed) {
      this.#launch(now, changed);
      this.#interest.settle(this.#allWants(), this.state.released.values(), this.#around());
    }
    this.#volumes.keep(this.#around());
    this.#keepRestarts();
    for (const name of changed) this.#tell(name, now);
    this.#armWake(now);
  }

  #decide(name: string, now: Now): void {
    const entry = this.state.jobs.get(name);
    this.#wants.delete(name);
    this.#wakes.delete(name);
    if (entry === undefined) return;
    const plan = planJob(this.state, entry, now, this.#view.agents);
    for (const instance of plan.kills) {
      instance.isKilling = true;
      for (const taskId of instance.tasks.keys()) this.#scheduler.kill(taskId);
    }
    for (const { taskId } of plan.healthKills) this.#scheduler.killUnhealthy(taskId);
    for (const instance of plan.ends) {
      instance.isEnding = true;
      for (const { taskId, state } of instance.tasks.values()) if (!isTerminal(state)) this.#scheduler.kill(taskId);
    }
    this.#volumes.settle(entry, plan);
    if (plan.wants.length > 0) this.#wants.set(name, plan.wants);
    if (plan.wakeAtMs !== undefined) this.#wakes.set(name, plan.wakeAtMs);
    if (noteEnd(entry, plan.isStable, now)) this.#keep(name, [versionWrite(name, entry.current.record)]);
    if (entry.isOverdue && lastGood(entry)) this.#calls.takeBack(name);
    if (plan.promotesItself && awaitsPromotion(entry) && !isHeld(entry.current))
      this.#calls.deployments.promoteByItself(name);
    if (entry.isPurged && entry.instances.size === 0 && this.state.isReconciled) this.#purge(entry);
  }

  #purge(entry: JobEntry): void {
    const { name } = entry;
    if (this.#purging.has(name) || this.#volumes.isMarking(name)) return;
    this.#purging.add(name);
    const versions = [entry.current, ...entry.history].slice(0, 120);
    const writes = [
      { key: jobKey(name), version: entry.stateVersion, delete: true } as const,
      ...versions.map(({ record }) => ({ key: versionKey(name, record.version), delete: true }) as const),
      { key: restartsKey(name), delete: true } as const,
    ];
    this.#store.transact(writes, (result) => {
      this.#purging.delete(name);
      if (!result.ok) {
        this.#runtime.log.warn({ job: name, reason: result.error.message }, "a job could not be forgotten");
        return;
      }
      forgetJob(this.state, name);
      const gone = new MusterError("not-found", `job ${name} is no more`, { field: "name" });
      for (const watcher of [...(this.#watchers.get(name) ?? [])]) watcher.refuse(gone);
      this.#wants.delete(name);
      this.#wakes.delete(name);
      this.#soon();
    });
  }

  /** Tasks of jobs that are no more. Not before it is sure that all is known. */
  #endOrphans(): void {
    if (!this.state.isReconciled || this.state.orphans.size === 0) return;
    for (const taskId of this.state.orphans.keys()) {
      this.#runtime.log.warn({ taskId }, "a task belongs to no job: it is ended");
      this.#scheduler.kill(taskId);
    }
    this.state.orphans.clear();
  }

  #launch(now: Now, changed: Set<string>): void {
    if (this.#offers.length === 0) return;
    const random = this.#random.stream(`match-${++this.#matchCount}`);
    const offered = { offers: this.#offers, others: this.#places, random };
    const { left, held } = this.#volumes.plan(this.#allWants(), offered);
    const offers = left;
    this.#offers = held;
    const { answers, unplaced } = launchWants(this.state, this.#allWants(), offers, this.#places, random, now);
    const waiting = new Set(unplaced.map(({ role }) => role));
    for (const { role, offerIds, groups, before, after } of answers) {
      const refuseMs = waiting.has(role) ? undefined : notNeededMs(this.#view.agents.size);
      const options = { before, operations: after, ...(refuseMs === undefined ? {} : { refuseMs }) };
      if (groups.length + after.length > 0) this.#scheduler.accept(offerIds, groups, options);
      else this.#scheduler.decline(offerIds, refuseMs);
    }
    for (const name of this.#wants.keys()) changed.add(name);
    this.#wants.clear();
    for (const want of unplaced) {
      const { name } = want.entry;
      this.#wants.set(name, [...(this.#wants.get(name) ?? []), want]);
    }
  }

  #keepRestarts(): void {
    for (const name of this.state.restartsChanged) {
      const entry = this.state.jobs.get(name);
      if (entry) this.#keep(name, [restartsWrite(entry)]);
    }
    this.state.restartsChanged.clear();
  }

  #keep(job: string, writes: Parameters<StateClient["transact"]>[0]): void {
    this.#store.transact(writes, (result) => {
      if (!result.ok) this.#runtime.log.warn({ job, reason: result.error.message }, "could not be kept");
    });
  }

  #tell(name: string, now: Now): void {
    const watchers = this.#watchers.get(name);
    const entry = this.state.jobs.get(name);
    if (watchers === undefined || entry === undefined) return;
    const job = jobStatus(this.state, entry, this.#around(), now);
    for (const watcher of [...watchers]) watcher.send({ job });
  }

  #watchersOf(name: string): Set<Replier<JobsWatchResponse>> {
    let watchers = this.#watchers.get(name);
    if (watchers === undefined) {
      watchers = new Set();
      this.#watchers.set(name, watchers);
    }
    return watchers;
  }

  /** One timer for all jobs. */
  #armWake(now: Now): void {
    let soonestMs = Number.POSITIVE_INFINITY;
    for (const atMs of this.#wakes.values()) if (atMs < soonestMs) soonestMs = atMs;
    if (soonestMs === this.#wakeAtMs && this.#cancelWake) return;
    this.#cancelWake?.();
    this.#cancelWake = undefined;
    this.#wakeAtMs = soonestMs;
    if (soonestMs === Number.POSITIVE_INFINITY) return;
    this.#cancelWake = this.#runtime.clock.after(Math.max(1, soonestMs - now.monotonicMs), () => {
      this.#cancelWake = undefined;
      const { monotonicMs } = this.#now();
      for (const [name, atMs] of this.#wakes) if (atMs <= monotonicMs + 1) this.state.dirty.add(name);
      this.#wakeAtMs = Number.POSITIVE_INFINITY;
      this.#soon();
    });
  }

  #allWants(): Want[] {
    return [...this.#wants.values()].flat();
  }

  #now(): Now {
    return { monotonicMs: this.#runtime.clock.monotonicMs(), epochMs: this.#runtime.clock.epochMs() };
  }

  #around(): Surroundings {
    return { agents: this.#view.agents, isKnown: this.#view.isKnown, random: this.#random.stream("explain") };
  }
}

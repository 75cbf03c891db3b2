import {
  type Cancel,
  type ClusterView,
  createClusterView,
  createJobServer,
  createScheduler,
  createStateClient,
  DemandTeller,
  type JobServer,
  type Runtime,
  revocableCapability,
  type Scheduler,
  type StateClient,
  type StateWrite,
  type TaskStatus,
} from "@muster/framework-sdk";
import type { CronState, Effect, Write } from "./core/model.ts";
import { waitsOf } from "./core/place.ts";
import { readRecords } from "./core/records.ts";
import { createState, type Input, nextWakeAt, step } from "./core/step.ts";
import { Calls } from "./service/calls.ts";

/** Somebody else changed our records, or they cannot be written: everything is read anew after so long. */
const restartMs = 1_000;
/** The wall clock may jump: it is looked at no less often than this. */
const lookMsMax = 60_000;
/** Agents are looked at no more often than this, and only while a run goes on that is one on every agent. */
const agentsLookMs = 1_000;

export interface CronConfig {
  /** One or several masters, "host:port". */
  readonly address: string | readonly string[];
  /** Its name, also in DNS and State. Default: "cron". */
  readonly name?: string;
  /** Roles to subscribe for from the start; those of jobs come by themselves. Default: "default". */
  readonly roles?: readonly string[];
  /** Version of the program, for people. */
  readonly version?: string;
}

export interface CronFramework {
  start(): void;
  /** Ends the session; what runs goes on, and is found again after the next start. */
  stop(done: () => void): void;
  /** Its state, for checkers; undefined before it was read. */
  readonly state: CronState | undefined;
}

/** Runs jobs of type batch and sysbatch, once or on a schedule. */
export function createCron(runtime: Runtime, config: CronConfig): CronFramework {
  let life: Life | undefined;
  let cancelRestart: Cancel | undefined;
  const begin = (): void => {
    life = new Life(runtime, config, () => {
      life = undefined;
      cancelRestart = runtime.clock.after(restartMs, begin);
    });
  };
  return {
    get state() {
      return life?.state;
    },
    start: () => {
      if (!life) begin();
    },
    stop: (done) => {
      cancelRestart?.();
      life?.end();
      life = undefined;
      runtime.clock.after(0, done);
    },
  };
}

/** From reading State to the end of the process, or to the moment when State is not as we left it. */
class Life {
  readonly #runtime: Runtime;
  readonly #restart: () => void;
  readonly #name: string;
  readonly #store: StateClient;
  readonly #config: CronConfig;
  #state: CronState | undefined;
  #calls: Calls | undefined;
  #scheduler: Scheduler | undefined;
  #jobs: JobServer | undefined;
  #view: ClusterView | undefined;
  #teller: DemandTeller | undefined;
  #cancelWake: Cancel | undefined;
  #isOver = false;
  #isTellDue = false;
  /** The agents are not as the core was told last. */
  #isViewNew = false;
  #cancelLook: Cancel | undefined;
  #lookedAtMs = Number.NEGATIVE_INFINITY;
  /** Roles that ask anew for what they have refused. */
  readonly #toRevive = new Set<string>();

  constructor(runtime: Runtime, config: CronConfig, restart: () => void) {
    this.#runtime = runtime;
    this.#restart = restart;
    this.#config = config;
    this.#name = config.name ?? "cron";
    this.#store = createStateClient(runtime, { address: config.address, framework: this.#name });
    this.#load();
  }

  get state(): CronState | undefined {
    return this.#state;
  }

  end(): void {
    this.#isOver = true;
    this.#cancelWake?.();
    this.#cancelLook?.();
    this.#teller?.stop();
    this.#scheduler?.stop();
    this.#jobs?.stop();
    this.#view?.stop();
    this.#store.close();
  }

  #load(): void {
    this.#store.list("", (result) => {
      if (this.#isOver) return;
      if (!result.ok) {
        this.#beginAnew(`State cannot be read: ${result.error.message}`);
        return;
      }
      const records = result.value.map(({ key, value, version }) => ({ key, version, value: value.toString("utf8") }));
      const { entries, problems } = readRecords(records);
      for (const problem of problems)
        this.#runtime.log.error(
          { reason: problem },
          "a record cannot be read: it is left alone, and its job is not served",
        );
      this.#open(createState(entries, this.#config.roles ?? ["default"], this.#runtime.random.stream("placement")));
    });
  }

  #open(state: CronState): void {
    const { clock, random, log } = this.#runtime;
    const { address, version } = this.#config;
    this.#state = state;
    const view = createClusterView(this.#runtime, { address }, () => {
      this.#isViewNew = true;
      this.#lookAtAgents();
    });
    const calls = new Calls({
      state,
      view,
      random: random.stream("plan"),
      epochMs: () => clock.epochMs(),
      post: (input) => this.#post(input),
    });
    const jobs = createJobServer(this.#runtime, { address, jobTypes: ["batch", "sysbatch"] }, calls.handlers);
    const framework = {
      name: this.#name,
      roles: state.roles,
      jobTypes: ["batch", "sysbatch"],
      // A run that must give back what was lent is made up for, like any that was preempted.
      capabilities: [revocableCapability],
      ...(version ? { version } : {}),
    };
    const scheduler = createScheduler(
      this.#runtime,
      // Nothing is wanted until something waits.
      { address, framework, suppressedRoles: state.roles },
      {
        subscribed: ({ frameworkId }) => {
          jobs.announce(frameworkId);
          this.#post({ type: "opened" });
        },
        disconnected: () => this.#post({ type: "closed" }),
        offers: (offers) => this.#post({ type: "offers", offers }),
        // Nothing new is started there, and runs end by themselves; those of a drain that last longer are run again.
        inverseOffers: (asked) =>
          scheduler.answerInverseOffers(
            asked.map(({ inverseOfferId }) => inverseOfferId),
            true,
          ),
        update: (status) => {
          // What is kept of it outlives the message that it came in.
          this.#post({ type: "status", status: kept(status) });
          return "later";
        },
        reconciled: ({ complete }) => {
          if (complete) this.#post({ type: "all-told" });
        },
      },
    );
    this.#teller = new DemandTeller(scheduler, clock, () => this.#post({ type: "tick" }));
    this.#view = view;
    this.#calls = calls;
    this.#jobs = jobs;
    this.#scheduler = scheduler;
    log.info({ jobs: state.jobs.size }, "jobs are read");
    view.start();
    scheduler.start();
  }

  #post(input: Input): void {
    const { clock } = this.#runtime;
    const state = this.#state;
    if (this.#isOver || !state) return;
    // A refused call changes nothing, and its caller is told by what is thrown here.
    for (const effect of step(state, input, clock.epochMs())) this.#do(effect);
    this.#cancelWake?.();
    this.#lookAtAgents();
    const wakeAt = nextWakeAt(state);
    if (wakeAt === undefined || this.#isOver) return;
    const delayMs = Math.min(Math.max(1, wakeAt - clock.epochMs()), lookMsMax);
    this.#cancelWake = clock.after(delayMs, () => this.#post({ type: "tick" }));
  }

  #lookAtAgents(): void {
    const { clock } = this.#runtime;
    const [state, view] = [this.#state, this.#view];
    if (this.#isOver || !state || !view?.isKnown || !this.#isViewNew || state.everywhere.size === 0) return;
    const delayMs = Math.max(0, this.#lookedAtMs + agentsLookMs - clock.monotonicMs());
    this.#cancelLook ??= clock.after(delayMs, () => {
      this.#cancelLook = undefined;
      this.#isViewNew = false;
      this.#lookedAtMs = clock.monotonicMs();
      this.#post({ type: "agents", known: view.agents, awaited: view.agentsAwaited });
    });
  }

  #do(effect: Effect): void {
    switch (effect.type) {
      case "save":
        this.#save(effect.jobId, effect.writes);
        return;
      case "accept":
        this.#scheduler?.accept(effect.offerIds, effect.groups);
        return;
      case "decline":
        this.#scheduler?.decline(effect.offerIds);
        return;
      case "kill":
        this.#scheduler?.kill(effect.taskId);
        return;
      case "acknowledge":
        this.#acknowledge(effect.status);
        return;
      case "roles":
        this.#scheduler?.changeRoles(effect.roles);
        return;
      case "revive":
        for (const role of effect.roles) this.#toRevive.add(role);
        this.#tellSoon();
        return;
      case "demand":
        this.#tellSoon();
        return;
      case "reply":
        this.#calls?.answered(effect);
        return;
      case "changed":
        this.#calls?.changed(effect.jobId);
        return;
      case "log":
        this.#runtime.log[effect.level]({ ...effect.fields }, effect.message);
        return;
    }
  }

  /** Once for all that happens at one moment: what waits is told whole. */
  #tellSoon(): void {
    if (this.#isTellDue) return;
    this.#isTellDue = true;
    this.#runtime.clock.after(0, () => {
      this.#isTellDue = false;
      const state = this.#state;
      if (this.#isOver || !state) return;
      this.#teller?.tell(state.roles, waitsOf(state), () => this.#calls?.rooms() ?? []);
      if (this.#toRevive.size > 0) this.#scheduler?.revive([...this.#toRevive]);
      this.#toRevive.clear();
    });
  }

  /** The scheduler takes an acknowledgement only after the update's handler has returned. */
  #acknowledge(status: TaskStatus): void {
    this.#runtime.clock.after(0, () => {
      if (!this.#isOver) this.#scheduler?.acknowledge(status);
    });
  }

  #save(jobId: string, writes: readonly Write[]): void {
    this.#store.transact(writes.map(stateWrite), (result) => {
      if (this.#isOver) return;
      if (result.ok) this.#post({ type: "saved", jobId, versions: result.value });
      else this.#beginAnew(`job ${jobId} cannot be written: ${result.error.message}`);
    });
  }

  #beginAnew(reason: string): void {
    this.#runtime.log.error({ reason }, "everything is read anew");
    this.end();
    this.#restart();
  }
}

function stateWrite({ key, version, value }: Write): StateWrite {
  const write: StateWrite = value === undefined ? { key, delete: true } : { key, put: Buffer.from(value, "utf8") };
  return version === undefined ? write : { ...write, version };
}

/** A message from the wire is a view of what was received; its plain fields are all that is needed. */
function kept(status: TaskStatus): TaskStatus {
  const { taskId, launchId, frameworkId, agentId, state, reason, source, message, updateId, sequence } = status;
  const { at, health, signal, container, exitCode } = status;
  const copy: TaskStatus = {
    taskId,
    launchId,
    frameworkId,
    agentId,
    state,
    reason,
    source,
    message,
    updateId,
    sequence,
    at,
    health,
    signal,
    container: container ? { pid: container.pid, ips: [], ports: [], networks: [] } : null,
  };
  if (exitCode !== undefined) copy.exitCode = exitCode;
  return copy;
}

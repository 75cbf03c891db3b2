import {
  type JobHandlers,
  type JobStatus,
  type JobsWatchResponse,
  MusterError,
  type Random,
  type Replier,
  type Result,
  type StateWrite,
} from "@muster/framework-sdk";
import { canonicalJson, type Job, jobsNeeded } from "@muster/jobspecs";
import { type Change, JobChanges } from "./changes.ts";
import { dependencyWarnings, neededByRunning, refuseCycle } from "./core/dependencies.ts";
import type { JobEntry, JobVersionEntry, Now, ServicesState } from "./core/model.ts";
import { planRun } from "./core/plan.ts";
import {
  checkVersion,
  commit,
  lastGood,
  type Proposal,
  proposeVersion,
  readSubmission,
  scaledJob,
} from "./core/proposals.ts";
import { volumeWrite } from "./core/records.ts";
import { jobStatus, jobSummary, jobVersion, type Surroundings } from "./core/report.ts";
import { refuseStuckUpdate } from "./core/update-room.ts";
import { checkJob, jobWarnings, versionEntry } from "./core/versions.ts";
import { refuseOtherRole, surplusVolumes } from "./core/volume-changes.ts";
import { releaseVolumes } from "./core/volumes.ts";
import { DeploymentCalls } from "./deployment-calls.ts";
import { rebalanceHandler } from "./rebalance-calls.ts";

/** What calls need of the framework that they are made to. */
export interface CallContext {
  readonly state: ServicesState;
  readonly roles: readonly string[];
  now(): Now;
  around(random?: Random): Surroundings;
  transact(writes: readonly StateWrite[], done: (result: Result<readonly number[]>) => void): void;
  /** Something has changed: decide at the end of this tick. */
  changed(): void;
  watchers(name: string): Set<Replier<JobsWatchResponse>>;
  dropWatchers(name: string): void;
}

/** The framework's side of `Jobs`. Changes are durable before they are answered, and one after another for each job. */
export class JobCalls {
  readonly #context: CallContext;
  readonly #changes: JobChanges;
  readonly #takingBack = new Set<string>();
  /** What jobs need that are on their way into State: two that need each other may come at once. */
  readonly #arriving = new Map<string, readonly string[]>();
  readonly deployments: DeploymentCalls;

  constructor(context: CallContext) {
    this.#context = context;
    this.#changes = new JobChanges(context);
    this.deployments = new DeploymentCalls({
      state: context.state,
      changes: this.#changes,
      now: () => context.now(),
      find: (name) => this.#find(name),
      goBack: (entry, good) => {
        const proposal = this.#goBack(entry, good);
        return { change: this.#proposed(proposal), version: proposal.current.record.version };
      },
    });
  }

  handlers(): JobHandlers {
    const { state, roles } = this.#context;
    return {
      Validate: (request, reply) => {
        const { job } = readSubmission(request.job, roles);
        this.#refuseCycle(job);
        reply.send({ warnings: this.#warnings(job) });
      },
      Plan: (request, reply) => {
        const { job, definition } = readSubmission(request.job, roles);
        const record = { version: 0, submittedAt: 0, cause: "run", definition, source: "", stable: false } as const;
        this.#refuseCycle(job);
        const around = this.#context.around();
        const wanted = versionEntry(record, job);
        refuseOtherRole(state.jobs.get(job.id), job);
        refuseStuckUpdate(state.jobs.get(job.id), wanted, around);
        const plan = planRun(state.jobs.get(job.id), wanted, around);
        reply.send({ ...plan, warnings: [...plan.warnings, ...dependencyWarnings(state, job, around.agents)] });
      },
      Run: (request, reply) => {
        const { job, definition } = readSubmission(request.job, roles);
        const { source = "", checkVersion: wanted } = request.job ?? {};
        const answer = (version: number, changed: boolean): void =>
          reply.send({ version, changed, warnings: this.#warnings(job) });
        this.#changes.change(job.id, reply, (apply) => {
          const present = state.jobs.get(job.id);
          checkVersion(present, wanted);
          this.#refuseCycle(job);
          if (present && !present.isStopped && present.current.record.definition === definition) {
            this.#encourage(present);
            apply(undefined, () => answer(present.current.record.version, false));
            return;
          }
          const made = { job, definition, source, cause: "run" } as const;
          const proposal = proposeVersion(state, job.id, made, this.#context.now());
          refuseOtherRole(present, job);
          refuseStuckUpdate(present, proposal.current, this.#context.around());
          apply(this.#proposed(proposal), () => answer(proposal.current.record.version, true));
        });
      },
      Stop: (request, reply) => {
        this.#changes.change(request.name, reply, (apply) => {
          const entry = this.#find(request.name);
          const taskCount = [...entry.instances.values()].reduce((sum, { tasks }) => sum + tasks.size, 0);
          const wipes = request.purge || request.wipe;
          if (entry.isStopped && (entry.isPurged || !request.purge) && !(wipes && entry.volumes.size > 0)) {
            apply(undefined, () => reply.send({ taskCount }));
            return;
          }
          const { job, record } = entry.current;
          const made = { job, definition: record.definition, source: record.source, cause: "stop" } as const;
          const ends = { isStopped: true, isPurged: entry.isPurged || request.purge, isWiped: request.wipe };
          const proposal = proposeVersion(state, entry.name, made, this.#context.now(), ends);
          apply(this.#proposed(proposal), () => reply.send({ taskCount }));
        });
      },
      Scale: (request, reply) => {
        this.#changes.change(request.name, reply, (apply) => {
          const entry = this.#find(request.name);
          if (entry.isStopped) throw new MusterError("wrong-state", `job ${entry.name} is stopped: run it first`);
          const { job, before, group } = scaledJob(entry, request.group, request.count);
          checkJob(job, roles);
          const answer = (version: number): void => reply.send({ version, countBefore: before });
          const surplus = request.wipe ? surplusVolumes(entry, job, group, this.#context.around().agents) : [];
          const wipe = {
            writes: surplus.map(({ record }) => volumeWrite(record, true)),
            made: (): void => releaseVolumes(state, entry, surplus, this.#context.now(), true),
          };
          if (before === request.count) {
            apply(surplus.length === 0 ? undefined : wipe, () => answer(entry.current.record.version));
            return;
          }
          const { source } = entry.current.record;
          const made = { job, definition: canonicalJson(job), source, cause: "scale" } as const;
          const proposal = proposeVersion(state, entry.name, made, this.#context.now());
          const change = this.#proposed(proposal);
          const whole: Change = {
            ...change,
            writes: [...change.writes, ...wipe.writes],
            made: (stateVersion) => {
              change.made(stateVersion);
              wipe.made();
            },
          };
          apply(whole, () => answer(proposal.current.record.version));
        });
      },
      Revert: (request, reply) => {
        this.#changes.change(request.name, reply, (apply) => {
          const entry = this.#find(request.name);
          const old = [entry.current, ...entry.history].find(({ record }) => record.version === request.version);
          if (old === undefined)
            throw new MusterError("not-found", `job ${entry.name} has no version ${request.version}`, {
              field: "version",
            });
          checkJob(old.job, roles);
          this.#refuseCycle(old.job);
          const proposal = this.#goBack(entry, old);
          apply(this.#proposed(proposal), () => reply.send({ version: proposal.current.record.version }));
        });
      },
      Dispatch: ({ name }) => {
        const { current } = this.#find(name);
        throw new MusterError(
          "wrong-state",
          `job ${name} is of type ${current.job.type} and can't be dispatched: only batch jobs with a parameterized block can`,
        );
      },
      List: (request, reply) => {
        const { agents } = this.#context.around();
        const jobs = [...state.jobs.values()]
          .filter(
            ({ name, current }) =>
              name.startsWith(request.prefix) && (request.type === "" || current.job.type === request.type),
          )
          .sort((a, b) => (a.name < b.name ? -1 : 1))
          .map((entry) => jobSummary(entry, agents));
        reply.send({ jobs, typesUnavailable: [] });
      },
      Get: (request, reply) => reply.send({ job: this.#status(this.#find(request.name)) }),
      History: (request, reply) => {
        const entry = this.#find(request.name);
        reply.send({ versions: [entry.current, ...entry.history].map(jobVersion) });
      },
      ...this.deployments.handlers(),
      ...rebalanceHandler({
        state,
        now: () => this.#context.now(),
        around: () => this.#context.around(),
        find: (name) => this.#find(name),
        changed: () => this.#context.changed(),
      }),
      Watch: (request, reply) => {
        const entry = this.#find(request.name);
        reply.send({ job: this.#status(entry) });
        const watchers = this.#context.watchers(entry.name);
        watchers.add(reply);
        return () => {
          watchers.delete(reply);
          if (watchers.size === 0) this.#context.dropWatchers(entry.name);
        };
      },
    };
  }

  /** An update that made no progress in its time: the job goes back to the last version that was healthy. */
  takeBack(name: string): void {
    if (this.#takingBack.has(name)) return;
    this.#takingBack.add(name);
    const over = (): void => void this.#takingBack.delete(name);
    const nobody: Replier<never> = { send: () => {}, end: () => {}, refuse: over };
    this.#changes.change(name, nobody, (apply) => {
      const entry = this.#find(name);
      const good = entry.isOverdue ? lastGood(entry) : undefined;
      if (good === undefined) {
        apply(undefined, over);
        return;
      }
      apply(this.#proposed(this.#goBack(entry, good)), over);
    });
  }

  #goBack(entry: JobEntry, { record, job }: JobVersionEntry): Proposal {
    const { definition, source } = record;
    const made = { job, definition, source, cause: "revert" } as const;
    return proposeVersion(this.#context.state, entry.name, made, this.#context.now());
  }

  #proposed(proposal: Proposal): Change {
    const { name, current } = proposal;
    const needed = proposal.isStopped ? [] : jobsNeeded(current.job);
    this.#arriving.set(name, needed);
    return {
      writes: proposal.writes,
      made: (stateVersion) => void commit(this.#context.state, proposal, stateVersion, this.#context.now()),
      over: () => void this.#arriving.delete(name),
    };
  }

  #refuseCycle(job: Job): void {
    refuseCycle(job, (name) => this.#arriving.get(name) ?? neededByRunning(this.#context.state, name));
  }

  #warnings(job: Job): string[] {
    const { state } = this.#context;
    return [...jobWarnings(job), ...dependencyWarnings(state, job, this.#context.around().agents)];
  }

  #find(name: string): JobEntry {
    const entry = this.#context.state.jobs.get(name);
    if (entry === undefined) throw new MusterError("not-found", `no job "${name}"`, { field: "name" });
    return entry;
  }

  #status(entry: JobEntry): JobStatus {
    return jobStatus(this.#context.state, entry, this.#context.around(), this.#context.now());
  }

  /** Whoever runs a job again that is there already wants it tried now. */
  #encourage(entry: JobEntry): void {
    for (const restarts of entry.restarts.values()) {
      restarts.nextTryAt = 0;
      restarts.givenUp = undefined;
    }
    this.#context.state.restartsChanged.add(entry.name);
    this.#context.state.dirty.add(entry.name);
    this.#context.changed();
  }
}

import type { Cancel, ClusterView, JobHandlers, JobStatus, Random, Replier, Room } from "@muster/framework-sdk";
import { agentRoom, isUsable, MusterError } from "@muster/framework-sdk";
import { networkWarnings } from "@muster/jobspecs";
import { presentJob } from "../core/jobs.ts";
import type { CronState } from "../core/model.ts";
import type { Input } from "../core/step.ts";
import { planOf, rejectionsOf } from "../core/view/plan.ts";
import { runsOf, statusOf, summaryOf, versionsOf } from "../core/view/views.ts";
import { readDispatch } from "./read-dispatch.ts";
import { readSubmission, warningsOf } from "./read-job.ts";

/** Followers of one job. */
const watchersMax = 1_000;

export interface CallsDeps {
  readonly state: CronState;
  readonly view: ClusterView;
  readonly random: Random;
  readonly epochMs: () => number;
  /** Lets the core take an input in; throws what it throws. */
  readonly post: (input: Input) => void;
}

type Answered = Extract<import("../core/model.ts").Effect, { type: "reply" }>;

/** The calls about jobs: what they mean to the core, and who waits for what. */
export class Calls {
  readonly #deps: CallsDeps;
  readonly #waiting = new Map<number, (answer: Answered["answer"]) => void>();
  readonly #watchers = new Map<string, Set<Replier<{ job: JobStatus | null }>>>();
  #count = 0;

  constructor(deps: CallsDeps) {
    this.#deps = deps;
  }

  /** An answer is durable. */
  answered({ callId, answer }: Answered): void {
    const respond = this.#waiting.get(callId);
    this.#waiting.delete(callId);
    respond?.(answer);
  }

  /** A job is not as it was. */
  changed(jobId: string): void {
    const watchers = this.#watchers.get(jobId);
    if (!watchers) return;
    const entry = this.#deps.state.jobs.get(jobId);
    for (const watcher of [...watchers]) {
      if (entry) watcher.send({ job: this.#status(jobId) });
      else watcher.refuse(new MusterError("not-found", `no job ${jobId}`));
    }
  }

  get handlers(): JobHandlers {
    const { state, epochMs, post, random } = this.#deps;
    return {
      Validate: ({ job }, reply) => {
        reply.send({ warnings: warningsOf(readSubmission(job, epochMs()).job, epochMs()) });
      },
      Plan: ({ job }, reply) => {
        const { job: wanted } = readSubmission(job, epochMs());
        const plan = planOf(state.jobs.get(wanted.id), wanted, this.rooms(), random);
        const networks = networkWarnings(wanted, this.#deps.view.agents.values());
        reply.send({ ...plan, warnings: [...warningsOf(wanted, epochMs()), ...networks] });
      },
      Run: ({ job }, reply) => {
        const submission = readSubmission(job, epochMs());
        const warnings = warningsOf(submission.job, epochMs());
        return this.#ask(
          (callId) => post({ type: "submit", callId, submission }),
          (answer) => {
            if (answer.type === "submitted") reply.send({ version: answer.version, changed: answer.changed, warnings });
          },
        );
      },
      Stop: ({ name, purge }, reply) =>
        this.#ask(
          (callId) => post({ type: "stop", callId, jobId: name, purge }),
          (answer) => {
            if (answer.type === "stopped") reply.send({ taskCount: answer.taskCount });
          },
        ),
      Force: ({ name }, reply) =>
        this.#ask(
          (callId) => post({ type: "force", callId, jobId: name }),
          (answer) => {
            if (answer.type === "forced") reply.send({ runId: answer.runId });
          },
        ),
      Dispatch: (request, reply) =>
        this.#ask(
          (callId) => post({ type: "dispatch", callId, request: readDispatch(request) }),
          (answer) => {
            if (answer.type === "dispatched") reply.send({ name: answer.name, created: answer.created });
          },
        ),
      List: ({ type, prefix }, reply) => {
        const jobs = [...state.jobs.values()]
          .filter(({ id, current }) => id.startsWith(prefix) && (type === "" || current.job.type === type))
          .sort((a, b) => (a.id < b.id ? -1 : 1))
          .map((entry) => summaryOf(state, entry));
        reply.send({ jobs, typesUnavailable: [] });
      },
      Get: ({ name }, reply) => reply.send({ job: this.#status(name) }),
      Watch: ({ name }, reply) => this.#watch(name, reply),
      History: ({ name }, reply) => reply.send({ versions: versionsOf(presentJob({ state }, name)) }),
      Runs: ({ name, limit }, reply) => reply.send({ runs: runsOf(state, presentJob({ state }, name), limit) }),
    };
  }

  #ask(post: (callId: number) => void, respond: (answer: Answered["answer"]) => void): Cancel {
    const callId = ++this.#count;
    this.#waiting.set(callId, respond);
    try {
      post(callId);
    } catch (error) {
      this.#waiting.delete(callId);
      throw error;
    }
    return () => this.#waiting.delete(callId);
  }

  #watch(jobId: string, reply: Replier<{ job: JobStatus | null }>): Cancel {
    reply.send({ job: this.#status(jobId) });
    const watchers = this.#watchers.get(jobId) ?? new Set();
    if (watchers.size >= watchersMax) throw new MusterError("too-many", `${watchersMax} follow job ${jobId} already`);
    watchers.add(reply);
    this.#watchers.set(jobId, watchers);
    return () => {
      watchers.delete(reply);
      if (watchers.size === 0) this.#watchers.delete(jobId);
    };
  }

  #status(jobId: string): JobStatus {
    const { state, epochMs, random } = this.#deps;
    const entry = presentJob({ state }, jobId);
    const status = statusOf(state, entry);
    status.rejections = rejectionsOf(entry, this.rooms(), epochMs(), random);
    return { ...status, instances: status.instances.map((instance) => this.#withAgent(instance)) };
  }

  #withAgent(instance: JobStatus["instances"][number]): JobStatus["instances"][number] {
    const agent = this.#deps.view.agents.get(instance.agentId);
    return agent ? { ...instance, agentName: agent.name, ip: agent.ip } : instance;
  }

  /** The agents as far as they are free; the range of their ports is the master's business. */
  rooms(): Room[] {
    return [...this.#deps.view.agents.values()]
      .filter(isUsable)
      .map((agent) => ({ ...agentRoom(agent), available: agent.free }));
  }
}

import { invalid, type JobHandlers, MusterError, type Replier, SteerAction } from "@muster/framework-sdk";
import { type Change, type JobChanges, recordChange } from "./changes.ts";
import { awaitsPromotion, canaryBase, deploymentOf, describeDeployment } from "./core/deployments.ts";
import type { DeploymentRecord, JobEntry, JobVersionEntry, Now, ServicesState } from "./core/model.ts";
import { goodBefore } from "./core/proposals.ts";

export interface DeploymentContext {
  readonly state: ServicesState;
  readonly changes: JobChanges;
  now(): Now;
  /** Throws `not-found`. */
  find(name: string): JobEntry;
  /** The change that goes back to an earlier version, and the number that it has then. */
  goBack(entry: JobEntry, good: JobVersionEntry): { change: Change; version: number };
}

/** The calls that lead a deployment. */
export class DeploymentCalls {
  readonly #context: DeploymentContext;
  readonly #promoting = new Set<string>();

  constructor(context: DeploymentContext) {
    this.#context = context;
  }

  handlers(): Pick<JobHandlers, "Promote" | "Deployments" | "Steer"> {
    const { changes } = this.#context;
    return {
      Promote: (request, reply) =>
        changes.change(request.name, reply, (apply) => {
          const entry = this.#context.find(request.name);
          apply(this.#promotion(entry, request.groups), () => reply.send({}));
        }),
      Deployments: (request, reply) => {
        const entry = this.#context.find(request.name);
        const all = [entry.current, ...entry.history].map((version) => describeDeployment(entry, version));
        reply.send({ deployments: all.filter((one) => one !== null) });
      },
      Steer: (request, reply) =>
        changes.change(request.name, reply, (apply) => {
          const entry = this.#context.find(request.name);
          const { change, version } = this.#steering(entry, request.action);
          apply(change, () => reply.send({ version }));
        }),
    };
  }

  /** All canaries have proved themselves, and the job says that this is enough. */
  promoteByItself(name: string): void {
    if (this.#promoting.has(name)) return;
    this.#promoting.add(name);
    const over = (): void => void this.#promoting.delete(name);
    const nobody: Replier<never> = { send: () => {}, end: () => {}, refuse: over };
    this.#context.changes.change(name, nobody, (apply) => {
      const entry = this.#context.find(name);
      apply(awaitsPromotion(entry) ? this.#promotion(entry, []) : undefined, over);
    });
  }

  #promotion(entry: JobEntry, wanted: readonly string[]): Change {
    const { record, job } = entry.current;
    for (const name of wanted)
      if (!job.groups.some((group) => group.name === name)) {
        const names = job.groups.map((group) => group.name).join(", ");
        throw new MusterError("not-found", `job ${entry.name} has no group "${name}", only ${names}`, {
          field: "groups",
        });
      }
    const waiting = job.groups.filter((group) => canaryBase(entry, group)).map(({ name }) => name);
    const groups = wanted.length === 0 ? waiting : waiting.filter((name) => wanted.includes(name));
    if (groups.length === 0)
      throw new MusterError("wrong-state", `job ${entry.name} has no canaries that wait to be promoted`);
    const { wanted: all, settled } = entry.canaries;
    if (!awaitsPromotion(entry))
      throw new MusterError(
        "wrong-state",
        `${settled} of ${all} canaries of job ${entry.name} have proved themselves`,
        {
          retryAfterMs: 1_000,
        },
      );
    const present = deploymentOf(record);
    const promoted = [...new Set([...present.promoted, ...groups])];
    return this.#note(entry, { ...present, promoted });
  }

  #steering(entry: JobEntry, action: SteerAction): { change: Change | undefined; version: number } {
    const { record } = entry.current;
    const { version } = record;
    const present = deploymentOf(record);
    if (entry.isStopped) throw new MusterError("wrong-state", `job ${entry.name} is stopped`);
    if (record.stable)
      throw new MusterError("wrong-state", `version ${version} of job ${entry.name} is deployed: nothing goes on`);
    switch (action) {
      case SteerAction.STEER_ACTION_PAUSE:
        if (present.status === "paused") return { change: undefined, version };
        return { change: this.#note(entry, { ...present, status: "paused", reason: "" }), version };
      case SteerAction.STEER_ACTION_RESUME:
        if (present.status === "running") return { change: undefined, version };
        return { change: this.#note(entry, { ...present, status: "running", reason: "", endedAt: 0 }), version };
      case SteerAction.STEER_ACTION_CANCEL: {
        const good = goodBefore(entry);
        if (good) return this.#context.goBack(entry, good);
        const reason = "there is no earlier version that was healthy";
        const endedAt = this.#context.now().epochMs;
        return { change: this.#note(entry, { ...present, status: "cancelled", reason, endedAt }), version };
      }
      default:
        throw invalid("action", "must be pause, resume or cancel");
    }
  }

  #note(entry: JobEntry, deployment: DeploymentRecord): Change {
    return recordChange(entry.name, entry.current.record, deployment, () => {
      // What nobody was to look at starts its time anew.
      entry.progress = undefined;
      entry.isOverdue = false;
      this.#context.state.dirty.add(entry.name);
    });
  }
}

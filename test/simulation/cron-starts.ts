import { type HostProcess, type Violation, violation } from "@muster/testing";

/**
 * No run of a periodic job twice for one instant: while a command of a run lives, or after one has ended well, no other
 * one of the same run starts. The instant is part of the task's id, before the count of its launches.
 */
export class CronWatch {
  readonly #jobs: ReadonlySet<string>;
  readonly #givenUp: ReadonlySet<string>;
  readonly #runs = new Map<string, { readonly process: HostProcess; readonly host: string }[]>();
  readonly #lastAtMs = new Map<string, number>();

  /**
   * Names of the periodic jobs; hosts that an operator has given up, perhaps later: what runs there is over for cron, however
   * it ends.
   */
  constructor(jobs: ReadonlySet<string>, givenUp: ReadonlySet<string>) {
    this.#jobs = jobs;
    this.#givenUp = givenUp;
  }

  /** Periodic jobs of which nothing has run since then: what is never run is never run twice either. */
  silentSince(atMs: number): Violation[] {
    return [...this.#jobs]
      .filter((job) => (this.#lastAtMs.get(job) ?? 0) < atMs)
      .map((job) => violation("never-run", job, `nothing of it has run since ${atMs / 1_000} s`));
  }

  started(process: HostProcess, host: string, nowMs: number): Violation[] {
    const { environment } = process.spec;
    const job = environment["MUSTER_JOB_NAME"] ?? "";
    if (!this.#jobs.has(job)) return [];
    this.#lastAtMs.set(job, nowMs);
    const run = runOf(environment["MUSTER_TASK_ID"] ?? "");
    const before = this.#runs.get(run) ?? [];
    this.#runs.set(run, [...before, { process, host }]);
    return before
      .filter((other) => !this.#givenUp.has(other.host))
      .map((other) => other.process)
      .filter(({ state, exit }) => state === "running" || exit?.exitCode === 0)
      .map(({ spec }) =>
        violation("instant-twice", run, `${spec.environment["MUSTER_TASK_ID"]}, then ${environment["MUSTER_TASK_ID"]}`),
      );
  }
}

/** "job.group.index.instant-launch" without the count of launches. */
function runOf(taskId: string): string {
  return taskId.slice(0, taskId.lastIndexOf("-"));
}

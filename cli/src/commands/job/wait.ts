import { DeploymentState, JobState, type JobStatus, TaskState } from "@muster/proto";
import { toCliError } from "../../cli-error.ts";
import { type Client, message } from "../../connect/client.ts";
import { deadline, onInterrupt } from "../../connect/interrupt.ts";
import { exitCode } from "../../exit-codes.ts";
import type { Output } from "../../output/output.ts";
import { Progress } from "./progress.ts";

/** So long something may stand in the way before we stop waiting and say what: most hitches of a start pass sooner. */
const stuckAfterMs = 10_000;
/** Waiting ends after this even without --timeout. */
export const waitMsDefault = 300_000;
/** A master that is restarted is back within seconds; its absence is no failure of the job. */
const absenceMsMax = 30_000;
const retryMs = 250;

export type Outcome = "reached" | "failed" | "stuck" | "timeout" | "interrupted";

export interface WaitResult {
  readonly outcome: Outcome;
  /** The job as last seen. */
  readonly job: JobStatus | undefined;
}

export interface WaitOptions {
  readonly name: string;
  readonly timeoutMs: number | undefined;
  /** What is waited for. */
  readonly reached: (job: JobStatus) => boolean;
  /** Why it can't be reached any more, if so. */
  readonly failed?: (job: JobStatus) => boolean;
}

/** Exit codes of the ways in which waiting ends. */
export const outcomeCodes: Readonly<Record<Outcome, number>> = {
  reached: exitCode.done,
  failed: exitCode.incomplete,
  stuck: exitCode.incomplete,
  timeout: exitCode.timeout,
  interrupted: exitCode.interrupted,
};

/** Follows a job, with live progress, until it is as wanted, can't be, or patience ends. */
export async function waitForJob(client: Client, out: Output, options: WaitOptions): Promise<WaitResult> {
  const interrupt = onInterrupt();
  const limit = deadline(options.timeoutMs ?? waitMsDefault);
  const progress = new Progress(out);
  let last: JobStatus | undefined;
  let stuckSinceMs: number | undefined;
  let timer: NodeJS.Timeout | undefined;
  let cancel = (): void => {};
  let over = false;
  try {
    const decided = new Promise<Outcome>((resolve, reject) => {
      let awaySinceMs: number | undefined;
      const look = (job: JobStatus): void => {
        last = job;
        awaySinceMs = undefined;
        progress.show(job);
        if (options.reached(job)) resolve("reached");
        else if (options.failed?.(job)) resolve("failed");
        stuckSinceMs = isHindered(job) ? (stuckSinceMs ?? Date.now()) : undefined;
      };
      timer = setInterval(() => {
        if (last) progress.show(last);
        if (stuckSinceMs !== undefined && Date.now() - stuckSinceMs >= stuckAfterMs) resolve("stuck");
      }, 500);
      const follow = (): void => {
        if (over) return;
        const stream = client.follow("Jobs.Watch", message("JobsWatchRequest", { name: options.name }), ({ job }) => {
          if (job) look(job);
        });
        cancel = stream.cancel;
        void stream.ended.then((error) => {
          if (over) return;
          awaySinceMs ??= Date.now();
          const kind = error === undefined ? "unavailable" : toCliError(error).kind;
          if (kind !== "unavailable" || Date.now() - awaySinceMs > absenceMsMax) reject(error);
          else setTimeout(follow, retryMs);
        });
      };
      follow();
    });
    const outcome = await Promise.race([decided, limit.passed, interrupt.interrupted]);
    return { outcome, job: last };
  } finally {
    over = true;
    clearInterval(timer);
    cancel();
    limit.release();
    interrupt.release();
    progress.end();
  }
}

/** Something stands in the way that will not pass by waiting a moment: no agent fits, or tasks fail. */
function isHindered(job: JobStatus): boolean {
  if (job.rejections.length > 0) return true;
  return job.instances.some(
    (instance) =>
      instance.state !== TaskState.TASK_RUNNING &&
      (instance.restartCount > 0 ||
        instance.state === TaskState.TASK_FAILED ||
        instance.state === TaskState.TASK_ERROR),
  );
}

/**
 * All wanted instances are healthy and as this version, or a later one, wants them, and none is too many; of a job that
 * ends: it is complete.
 */
export function isSettled({ summary }: JobStatus, version: number): boolean {
  if (!summary || summary.version < version) return false;
  if (summary.state === JobState.JOB_STATE_COMPLETE) return true;
  return (
    summary.state === JobState.JOB_STATE_RUNNING &&
    (summary.type === "service" || summary.type === "system") &&
    summary.updated >= summary.desired &&
    summary.running <= summary.desired
  );
}

/** Its canaries are healthy, and nothing goes on before somebody promotes them. */
export function awaitsPromotion({ deployment }: JobStatus, version: number): boolean {
  return (
    deployment !== null &&
    deployment.version >= version &&
    deployment.state === DeploymentState.DEPLOYMENT_STATE_AWAITING_PROMOTION
  );
}

export function hasFailed(job: JobStatus): boolean {
  return job.summary?.state === JobState.JOB_STATE_FAILED;
}

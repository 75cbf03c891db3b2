import { type Cancel, Masters } from "@muster/foundation";
import type { JobSummary } from "@muster/proto";
import { Backoff } from "../connection/backoff.ts";
import type { Runtime } from "../runtime/runtime.ts";

/** Jobs that one follower follows; more are not known to it. */
export const followedJobsMax = 1_000;

/** Jobs by their names, whichever framework has them, kept up to date. */
export interface JobFollower {
  /** Follows these from now on, and no others. */
  follow(names: ReadonlySet<string>): void;
  /** As it was said last; undefined: it is not there, or nothing was said yet. */
  of(name: string): JobSummary | undefined;
  stop(): void;
}

export interface JobFollowerConfig {
  readonly address: string | readonly string[];
}

/**
 * Follows single jobs with `Jobs.Watch`. `changed` is called with the name of each job of which there is news. A job that
 * is not there is asked for again, at most every 5 s; while its framework is away the last word stays.
 */
export function createJobFollower(
  runtime: Pick<Runtime, "clock" | "random" | "transport">,
  config: JobFollowerConfig,
  changed: (name: string) => void,
): JobFollower {
  const masters = new Masters(config.address);
  const random = runtime.random.stream("follower");
  const known = new Map<string, JobSummary>();
  const cancels = new Map<string, Cancel>();

  function open(name: string, backoff: Backoff): void {
    let isOver = false;
    const stop = runtime.transport.follow(
      "Jobs.Watch",
      masters.current,
      { name },
      {
        receive: ({ job }) => {
          if (isOver || !job?.summary) return;
          backoff.reset();
          known.set(name, job.summary);
          changed(name);
        },
        drained: () => {},
        closed: (error) => {
          if (isOver) return;
          isOver = true;
          if (error?.kind === "not-found") {
            if (known.delete(name)) changed(name);
          } else masters.next(error);
          cancels.set(
            name,
            runtime.clock.after(backoff.nextMs(error), () => open(name, backoff)),
          );
        },
      },
    );
    cancels.set(name, () => {
      isOver = true;
      stop();
    });
  }

  function leave(name: string): void {
    cancels.get(name)?.();
    cancels.delete(name);
    known.delete(name);
  }

  return {
    follow(names) {
      for (const name of [...cancels.keys()]) if (!names.has(name)) leave(name);
      for (const name of names) {
        if (cancels.size >= followedJobsMax) return;
        if (!cancels.has(name)) open(name, new Backoff(random));
      }
    },
    of: (name) => known.get(name),
    stop() {
      for (const name of [...cancels.keys()]) leave(name);
    },
  };
}

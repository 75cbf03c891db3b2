import { MusterError, type Replier, type Result, type StateWrite } from "@muster/framework-sdk";
import type { VersionRecord } from "./core/model.ts";
import { versionWrite } from "./core/records.ts";

/** Changes of one job that may wait for one another. */
const queuedChangesMax = 100;

/** What is to be durable before it holds. */
export interface Change {
  readonly writes: readonly StateWrite[];
  /** It is. With the version in State of what was written first. */
  made(stateVersion: number): void;
  /** It is kept, or will not be. */
  over?(): void;
}

/** Undefined: there is nothing to change. */
export type Apply = (change: Change | undefined, answer: () => void) => void;

export interface ChangesContext {
  transact(writes: readonly StateWrite[], done: (result: Result<readonly number[]>) => void): void;
  /** Something has changed: decide at the end of this tick. */
  changed(): void;
}

/** Changes of a job, one after another: each sees what the one before it has made, and is durable when it is answered. */
export class JobChanges {
  readonly #context: ChangesContext;
  readonly #queues = new Map<string, (() => void)[]>();

  constructor(context: ChangesContext) {
    this.#context = context;
  }

  change<T>(name: string, reply: Replier<T>, decide: (apply: Apply) => void): void {
    const queue = this.#queues.get(name);
    const run = (): void => {
      try {
        decide((change, answer) => this.#apply(name, change, reply, answer));
      } catch (error) {
        reply.refuse(MusterError.from(error));
        this.#next(name);
      }
    };
    if (queue === undefined) {
      this.#queues.set(name, []);
      run();
    } else if (queue.length < queuedChangesMax) queue.push(run);
    else
      reply.refuse(
        new MusterError("too-many", `${queuedChangesMax} changes of job ${name} wait`, { retryAfterMs: 1_000 }),
      );
  }

  #apply<T>(name: string, change: Change | undefined, reply: Replier<T>, answer: () => void): void {
    if (change === undefined) {
      answer();
      this.#next(name);
      return;
    }
    this.#context.transact(change.writes, (result) => {
      if (result.ok) {
        change.made(result.value[0] ?? 0);
        this.#context.changed();
        answer();
      } else reply.refuse(result.error);
      change.over?.();
      this.#next(name);
    });
  }

  #next(name: string): void {
    const queue = this.#queues.get(name);
    const next = queue?.shift();
    if (next) next();
    else this.#queues.delete(name);
  }
}

/** A version is kept with another word about its roll-out. */
export function recordChange(
  name: string,
  record: VersionRecord,
  deployment: NonNullable<VersionRecord["deployment"]>,
  made: () => void,
): Change {
  return {
    writes: [versionWrite(name, { ...record, deployment })],
    made: () => {
      record.deployment = deployment;
      made();
    },
  };
}

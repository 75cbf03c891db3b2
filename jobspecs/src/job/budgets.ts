import { dispatchParent } from "./parameterized.ts";
import type { Job, TaskGroup } from "./types.ts";

/** Characters of a budget's name that a master takes. */
const nameLengthMax = 255;

/** What a group's instances may lose to those who are more important: no more of all that share the name at once. */
export interface GroupBudget {
  readonly preemptionBudget: string;
  /** 0: none is ever preempted. */
  readonly preemptedMax: number;
}

/**
 * The budget of a group: what its `migrate` block says, for an instance that is preempted is one that moves; else what
 * an update replaces at once. Runs of batch and sysbatch jobs, which nothing updates, have none without that block;
 * all runs and dispatches of a job share one.
 */
export function groupBudget({ id, type }: Pick<Job, "id" | "type">, group: TaskGroup): GroupBudget | undefined {
  const { count, migrate, name, update } = group;
  const hasRuns = type === "batch" || type === "sysbatch";
  if (hasRuns && migrate === undefined) return undefined;
  const { method } = update;
  const ofUpdate =
    method.kind === "batch"
      ? method.maxParallel
      : Math.max(1, Math.floor((count * (100 - method.minHealthyPercent)) / 100));
  const job = (hasRuns ? dispatchParent(id) : undefined) ?? id;
  return {
    preemptionBudget: `${job}/${name}`.slice(0, nameLengthMax),
    preemptedMax: migrate?.maxParallel ?? ofUpdate,
  };
}

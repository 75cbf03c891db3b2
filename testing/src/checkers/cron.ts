import { type Violation, violation } from "@muster/master";

/** A run of a periodic job, as its framework keeps it. */
export interface CronRun {
  readonly job: string;
  /** The instant that it was planned for, milliseconds since the epoch. */
  readonly plannedAt: number;
  /** Names the run. */
  readonly runId: string;
}

/** No job runs twice for one instant. */
export function noInstantTwice(runs: readonly CronRun[]): Violation[] {
  const first = new Map<string, string>();
  const violations: Violation[] = [];
  for (const { job, plannedAt, runId } of runs) {
    const key = `${job}@${plannedAt}`;
    const other = first.get(key);
    if (other !== undefined && other !== runId)
      violations.push(violation("instant-twice", job, `${new Date(plannedAt).toISOString()}: ${other} and ${runId}`));
    first.set(key, runId);
  }
  return violations;
}

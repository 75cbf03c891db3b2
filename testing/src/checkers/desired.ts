import { type Violation, violation } from "@muster/master";

/** What a job wants, and what there is of it. */
export interface Desired {
  readonly job: string;
  readonly wanted: number;
  readonly alive: number;
}

/** Exactly as many instances live as are wanted. Holds within 60 s after the last fault has healed. */
export function desiredCount(jobs: readonly Desired[]): Violation[] {
  return jobs
    .filter(({ wanted, alive }) => wanted !== alive)
    .map(({ job, wanted, alive }) => violation("desired-count", job, `wanted ${wanted}, alive ${alive}`));
}

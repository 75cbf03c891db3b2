import { type Reader, refuseTwice, typed } from "./reader.ts";
import type { Job, TaskGroup } from "./types.ts";

/** healthy: all its instances are. complete: it has run to its end with success. */
export const dependencyConditions = ["healthy", "complete"] as const;
export type DependencyCondition = (typeof dependencyConditions)[number];

/** Another job that comes first: it is waited for before the start, and ends after whoever needs it. */
export interface Dependency {
  /** Id of the job; it may be handed in later. */
  readonly job: string;
  readonly condition: DependencyCondition;
}

/** Of one job, and of one group. */
export const dependenciesMax = 100;

export function decodeDependencies(owner: Reader): { dependsOn?: readonly Dependency[] } {
  if (!owner.has("dependsOn")) return {};
  const dependsOn = owner.list("dependsOn", dependenciesMax, readDependency);
  refuseTwice(
    dependsOn.map(({ job }) => job),
    owner.at("dependsOn"),
  );
  return dependsOn.length > 0 ? { dependsOn } : {};
}

const readDependency = typed(
  (reader): Dependency => ({
    job: reader.name("job", 128),
    condition: reader.oneOf("condition", dependencyConditions),
  }),
);

/** What a group waits for: what its job and it itself name. */
export function dependenciesOf(job: Job, group: TaskGroup): readonly Dependency[] {
  return [...(job.dependsOn ?? []), ...(group.dependsOn ?? [])];
}

/** Ids of all jobs that a job or one of its groups needs, each once. */
export function jobsNeeded(job: Job): string[] {
  return [...new Set(job.groups.flatMap((group) => dependenciesOf(job, group).map((one) => one.job)))];
}

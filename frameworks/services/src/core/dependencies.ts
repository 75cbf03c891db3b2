import { type ClusterAgent, invalid, JobState } from "@muster/framework-sdk";
import { type Dependency, dependenciesOf, type Job, jobsNeeded, type TaskGroup } from "@muster/jobspecs";
import type { JobEntry, ServicesState } from "./model.ts";
import { slotsOf } from "./slots.ts";

/** What is known of a job that another framework takes care of. */
export interface OutsideJob {
  readonly state: JobState;
  readonly desired: number;
  readonly healthy: number;
}

/** Keeps in mind who needs whom. O(jobs that are needed). */
export function noteNeeds(state: ServicesState, name: string, needed: readonly string[]): void {
  for (const [other, dependents] of state.neededBy)
    if (dependents.delete(name) && dependents.size === 0) state.neededBy.delete(other);
  for (const other of needed) {
    const dependents = state.neededBy.get(other);
    if (dependents) dependents.add(name);
    else state.neededBy.set(other, new Set([name]));
  }
}

/** Refuses a job that would wait for itself by way of others. Throws `invalid` naming the cycle. O(jobs needed). */
export function refuseCycle(job: Job, neededBy: (name: string) => readonly string[]): void {
  const cycle = pathTo(job.id, jobsNeeded(job), neededBy);
  if (cycle === undefined) return;
  const words = cycle.map((name, at) => `${at === 0 ? job.id : cycle[at - 1]} needs ${name}`).join(", ");
  throw invalid("job.definition.dependsOn", `is a cycle in which nothing could ever start: ${words}`);
}

/** By way of which jobs one of them needs `goal`, which is the last. */
function pathTo(
  goal: string,
  from: readonly string[],
  neededBy: (name: string) => readonly string[],
): string[] | undefined {
  const seen = new Set<string>();
  const paths: string[][] = from.map((name) => [name]);
  for (let path = paths.pop(); path; path = paths.pop()) {
    const last = path.at(-1) ?? "";
    if (last === goal) return path;
    if (seen.has(last)) continue;
    seen.add(last);
    for (const next of neededBy(last)) paths.push([...path, next]);
  }
  return undefined;
}

/** Of jobs that are to run, which they need. */
export function neededByRunning(state: ServicesState, name: string): readonly string[] {
  const entry = state.jobs.get(name);
  return entry === undefined || entry.isStopped ? [] : jobsNeeded(entry.current.job);
}

/**
 * Why a group can't start yet, for people, one reason per job that it waits for. Only a start waits: what was healthy once,
 * or has an instance, goes on whatever becomes of the others. O(instances of the jobs needed).
 */
export function startsAfter(
  state: ServicesState,
  entry: JobEntry,
  group: TaskGroup,
  agents: ReadonlyMap<string, ClusterAgent>,
): string[] {
  const needed = dependenciesOf(entry.current.job, group);
  if (needed.length === 0 || entry.isStopped || entry.current.record.stable) return [];
  for (const instance of entry.instances.values()) if (instance.group === group.name && !instance.isKilling) return [];
  return needed.flatMap((one) => problemOf(state, one, agents) ?? []);
}

/** What a job lacks of what is asked of it; undefined: nothing. */
export function problemOf(
  state: ServicesState,
  { job: name, condition }: Dependency,
  agents: ReadonlyMap<string, ClusterAgent>,
): string | undefined {
  const entry = state.jobs.get(name);
  const outside = state.outside.get(name);
  if (entry === undefined && outside === undefined) return `there is no job ${name}`;
  if (entry?.isStopped || outside?.state === JobState.JOB_STATE_STOPPED) return `job ${name} is stopped`;
  if (condition === "complete") {
    if (entry) return `job ${name} is of type ${entry.current.job.type} and never complete`;
    if (outside?.state === JobState.JOB_STATE_COMPLETE) return undefined;
    return `job ${name} ${outside?.state === JobState.JOB_STATE_FAILED ? "has failed" : "is not complete yet"}`;
  }
  const { healthy, desired } = entry ? healthOf(entry, agents) : (outside ?? { healthy: 0, desired: 0 });
  if (desired > 0 && healthy >= desired) return undefined;
  if (desired === 0) return `job ${name} has no instances`;
  return `${healthy} of ${desired} instances of job ${name} are healthy`;
}

/** How many places of a job have a healthy instance, of whichever version. */
function healthOf(entry: JobEntry, agents: ReadonlyMap<string, ClusterAgent>): { healthy: number; desired: number } {
  let healthy = 0;
  let desired = 0;
  const all = [...entry.instances.values()];
  for (const group of entry.current.job.groups) {
    const own = all.filter((instance) => instance.group === group.name);
    const serving = new Set(
      own.flatMap(({ isKilling, healthySinceMs, index }) => (!isKilling && healthySinceMs !== undefined ? index : [])),
    );
    for (const { index } of slotsOf(entry, group, agents, own)) {
      desired++;
      if (serving.has(index)) healthy++;
    }
  }
  return { healthy, desired };
}

/**
 * Jobs that are stopped too and still need this one, which ends after them. What is out of reach is not waited for, nor is
 * anybody whom this job needs itself. O(instances of those that need it).
 */
export function stopsAfter(state: ServicesState, entry: JobEntry): string[] {
  if (!entry.isStopped) return [];
  const needed = (name: string): readonly string[] => {
    const other = state.jobs.get(name);
    return other ? jobsNeeded(other.current.job) : [];
  };
  return [...(state.neededBy.get(entry.name) ?? [])].filter((name) => {
    const dependent = state.jobs.get(name);
    if (dependent === undefined || dependent === entry || !dependent.isStopped) return false;
    if (pathTo(name, needed(entry.name), needed)) return false;
    return [...dependent.instances.values()].some((instance) => instance.unreachableSinceMs === undefined);
  });
}

/** Jobs that are to be looked at again since this one has changed: what waits for it to start, or to end. */
export function waitingFor(state: ServicesState, name: string): string[] {
  const entry = state.jobs.get(name);
  const starting = [...(state.neededBy.get(name) ?? [])].filter(
    (dependent) => state.jobs.get(dependent)?.current.record.stable === false,
  );
  return entry?.isStopped ? [...starting, ...jobsNeeded(entry.current.job)] : starting;
}

/** Remarks on what a job would wait for as things are. */
export function dependencyWarnings(
  state: ServicesState,
  job: Job,
  agents: ReadonlyMap<string, ClusterAgent>,
): string[] {
  const seen = new Map<string, string>();
  for (const group of job.groups)
    for (const one of dependenciesOf(job, group)) {
      const problem = problemOf(state, one, agents);
      if (problem !== undefined) seen.set(one.job, `it starts when job ${one.job} is ${one.condition}: now ${problem}`);
    }
  return [...seen.values()];
}

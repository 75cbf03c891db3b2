import { groupOf } from "./build.ts";
import { taskIdOf } from "./ids.ts";
import type { CronState, Effect, Instance, JobEntry, Run } from "./model.ts";

/** One step of the core: what time it is, and what it wants done. */
export interface Turn {
  readonly state: CronState;
  readonly nowMs: number;
  readonly effects: Effect[];
  /** Jobs that are not as they were. */
  readonly changed: Set<JobEntry>;
  /** Jobs to look at before the step ends: those that have changed, and those whose time has come. */
  readonly looked: Set<JobEntry>;
}

export function newTurn(state: CronState, nowMs: number): Turn {
  return { state, nowMs, effects: [], changed: new Set(), looked: new Set() };
}

/** A job has changed: it has to be saved, and whoever watches it told. */
export function touch(turn: Turn, entry: JobEntry): void {
  entry.revision += 1;
  turn.changed.add(entry);
  turn.looked.add(entry);
}

/** Lets an effect happen as soon as all that is true of a job now is durable. */
export function afterSave(turn: Turn, entry: JobEntry, effect: Effect): void {
  entry.gates.push({ revision: entry.revision, effect });
  turn.looked.add(entry);
}

/** The job as a run's version has it. */
export function jobOf(entry: JobEntry, run: Run): JobEntry["current"]["job"] {
  return (entry.versions.get(run.version) ?? entry.current).job;
}

/** Task ids of an instance's present launch. */
export function taskIdsOf(entry: JobEntry, run: Run, instance: Instance): string[] {
  return groupOf(jobOf(entry, run), instance).tasks.map((_, ordinal) => taskIdOf(entry.id, run, instance, ordinal));
}

/** From now on news of these tasks leads to the instance. */
export function expectTasks(turn: Turn, entry: JobEntry, run: Run, instance: Instance): void {
  for (const [ordinal, taskId] of taskIdsOf(entry, run, instance).entries())
    turn.state.tasks.set(taskId, { entry, run, instance, ordinal });
}

/** From now on news of these tasks is news of strangers: should they live, they are killed. */
export function forgetTasks(turn: Turn, entry: JobEntry, run: Run, instance: Instance): void {
  for (const taskId of taskIdsOf(entry, run, instance)) turn.state.tasks.delete(taskId);
}

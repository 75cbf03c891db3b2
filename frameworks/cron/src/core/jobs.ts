import { MusterError } from "@muster/framework-sdk";
import type { JobEntry } from "./model.ts";
import { activeRuns, stopRun } from "./runs.ts";
import { type Turn, touch } from "./turn.ts";

/** The job of that name. Throws `not-found`. */
export function presentJob(turn: Pick<Turn, "state">, jobId: string): JobEntry {
  const entry = turn.state.jobs.get(jobId);
  if (!entry) throw new MusterError("not-found", `no job ${jobId}`);
  return entry;
}

/** No run of a job starts any more, and what runs is ended. Returns how many tasks will end. */
export function endJob(turn: Turn, entry: JobEntry, isPurged: boolean, reason: string): number {
  entry.isStopped = true;
  entry.isPurged ||= isPurged;
  entry.isDefinitionDirty = true;
  touch(turn, entry);
  return endRuns(turn, entry, reason);
}

/** Ends what runs of a job. Returns how many tasks will end. */
export function endRuns(turn: Turn, entry: JobEntry, reason: string): number {
  let taskCount = 0;
  for (const run of activeRuns(entry)) taskCount += stopRun(turn, entry, run, "killed", reason);
  return taskCount;
}

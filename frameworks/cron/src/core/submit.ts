import { MusterError } from "@muster/framework-sdk";
import { canonicalJson, type Job } from "@muster/jobspecs";
import { endChildren } from "./dispatch.ts";
import { skipTargets } from "./due.ts";
import { isIdle, isLasting } from "./every-agent.ts";
import { endJob, endRuns, presentJob } from "./jobs.ts";
import { type JobEntry, runId, type Version } from "./model.ts";
import { newEntry, timetableOf } from "./records.ts";
import { activeRuns, addRun, stopRun } from "./runs.ts";
import { createTimetable } from "./schedule/timetable.ts";
import { afterSave, type Turn, touch } from "./turn.ts";

/** Versions of a job that are kept. */
const versionsKeptMax = 10;

/** A job as handed in. */
export interface Submission {
  readonly job: Job;
  readonly source: string;
  /** The version that must be the present one; 0: it must be new; undefined: any. */
  readonly checkVersion: number | undefined;
}

/** Takes a job in. Throws MusterError. */
export function submit(turn: Turn, callId: number, { job, source, checkVersion }: Submission): void {
  const entry = turn.state.jobs.get(job.id);
  const known = entry?.isPurged ? undefined : entry;
  checkPresent(job.id, known, checkVersion);
  if (entry?.isPurged)
    throw new MusterError("wrong-state", `job ${job.id} is being removed: try again in a moment`, {
      retryAfterMs: 1_000,
    });
  const definition = canonicalJson(job);
  if (known && !known.isStopped && known.current.definition === definition) {
    resume(turn, known);
    afterSave(turn, known, {
      type: "reply",
      callId,
      answer: { type: "submitted", version: known.current.version, changed: false },
    });
    return;
  }
  const number = Math.max(0, ...(known?.versions.keys() ?? [])) + 1;
  const version: Version = { version: number, submittedAt: turn.nowMs, definition, source, job };
  const anchorAt = anchorOf(known, version);
  // Before anything changes: a schedule that means nothing is refused.
  const timetable = timetableOf(job, anchorAt);
  if (known) resume(turn, known);
  const taken = known ?? newEntry(version);
  turn.state.jobs.set(job.id, taken);
  taken.current = version;
  taken.versions.set(number, version);
  taken.isStopped = false;
  taken.isDefinitionDirty = true;
  taken.anchorAt = anchorAt;
  taken.timetable = timetable;
  taken.cursorAt = Math.max(taken.cursorAt, turn.nowMs - 1);
  taken.nextAt = timetable?.next(taken.cursorAt);
  touch(turn, taken);
  if (!job.schedule && !job.parameterized) runOnce(turn, taken);
  else if (!job.schedule) endRuns(turn, taken, `replaced by version ${number}, which runs when it is dispatched`);
  forgetVersions(taken);
  const answer = { type: "submitted", version: number, changed: true } as const;
  afterSave(turn, taken, { type: "reply", callId, answer });
}

/** What was due while the schedule was paused or disabled is listed as skipped, and not made up for. */
function resume(turn: Turn, entry: JobEntry): void {
  const { schedule } = entry.current.job;
  if (!schedule || entry.isStopped || (schedule.enabled && !entry.isPaused)) return;
  const timetable = createTimetable(schedule, entry.anchorAt);
  skipTargets(turn, entry, timetable, entry.isPaused ? pausedReason(entry) : "its schedule was disabled");
  entry.isPaused = false;
  entry.failuresInRow = 0;
  entry.nextAt = entry.timetable?.next(entry.cursorAt);
  touch(turn, entry);
}

/** Why nothing is due. */
export function pausedReason({ failuresInRow }: JobEntry): string {
  return `paused after ${failuresInRow} failed runs in a row`;
}

/** Stops a job, and of a parameterized one its dispatches: no run starts, and what runs is ended. Throws `not-found`. */
export function stop(turn: Turn, callId: number, jobId: string, isPurged: boolean): void {
  const entry = presentJob(turn, jobId);
  const taskCount = endJob(turn, entry, isPurged, "the job was stopped") + endChildren(turn, jobId, isPurged);
  afterSave(turn, entry, { type: "reply", callId, answer: { type: "stopped", taskCount } });
}

/** Runs a job now, whatever its schedule. Obeys overlap. Throws `not-found`, `wrong-state`. */
export function force(turn: Turn, callId: number, jobId: string): void {
  const entry = presentJob(turn, jobId);
  if (entry.isStopped) throw new MusterError("wrong-state", `job ${jobId} is stopped: run it again first`);
  if (entry.current.job.parameterized)
    throw new MusterError("wrong-state", `job ${jobId} is parameterized: run it with job dispatch`);
  for (const run of activeRuns(entry))
    if (isLasting(entry, run) && isIdle(turn.state, run)) stopRun(turn, entry, run, "killed", "run anew");
  const other = activeRuns(entry)[0];
  if (other && entry.current.job.schedule?.overlap !== "allow")
    throw new MusterError("wrong-state", `run ${runId(jobId, other)} has not ended, and runs must not overlap`);
  entry.manualCount += 1;
  const run = addRun(turn, entry, "manual", `m${entry.manualCount}`, turn.nowMs, 0);
  afterSave(turn, entry, { type: "reply", callId, answer: { type: "forced", runId: runId(jobId, run) } });
}

function checkPresent(jobId: string, entry: JobEntry | undefined, checkVersion: number | undefined): void {
  if (checkVersion === undefined) return;
  const present = entry?.current.version ?? 0;
  if (present === checkVersion) return;
  const says = present === 0 ? `there is no job ${jobId}` : `job ${jobId} is at version ${present}`;
  throw new MusterError("stale", `${says}, not at ${checkVersion}: look at it again`);
}

/** A schedule that stays the same keeps its beat through new versions. */
function anchorOf(entry: JobEntry | undefined, version: Version): number {
  const isSame = entry && JSON.stringify(entry.current.job.schedule) === JSON.stringify(version.job.schedule);
  return isSame ? entry.anchorAt : version.submittedAt;
}

/** A job without a schedule runs at once. A new version takes the place of one that still runs. */
function runOnce(turn: Turn, entry: JobEntry): void {
  const { version } = entry.current;
  endRuns(turn, entry, `replaced by version ${version}`);
  addRun(turn, entry, "once", `v${version}`, turn.nowMs, 0);
}

function forgetVersions(entry: JobEntry): void {
  const needed = new Set([entry.current.version, ...activeRuns(entry).map((run) => run.version)]);
  const excess = [...entry.versions.keys()].sort((a, b) => a - b).slice(0, -versionsKeptMax);
  for (const version of excess) {
    if (needed.has(version)) continue;
    entry.versions.delete(version);
    entry.versionsToForget.add(version);
  }
}

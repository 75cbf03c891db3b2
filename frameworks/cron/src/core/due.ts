import { type JobEntry, runId } from "./model.ts";
import { activeRuns, addIdleRun, addRun, endRun } from "./runs.ts";
import { type Turn, touch } from "./turn.ts";

/** What was due while nobody could run it is still run within this time, the latest target alone. */
const catchUpMs = 24 * 60 * 60_000;
/** Targets that are listed one by one as missed; more are only counted. */
const missedListedMax = 10;

/** Deals with every target up to now: the latest is run, skipped or missed, those before it are missed. */
export function takeTargets(turn: Turn, entry: JobEntry): void {
  const { timetable } = entry;
  if (!timetable || entry.isStopped || entry.nextAt === undefined || entry.nextAt > turn.nowMs) return;
  const due: number[] = [];
  let count = 0;
  const note = (at: number): void => {
    count += 1;
    due.push(at);
    if (due.length > missedListedMax + 1) due.shift();
  };
  let at: number | undefined = entry.nextAt;
  if (at < turn.nowMs - catchUpMs) {
    note(at);
    // Nothing before the window is run: it need not be looked at one by one.
    at = timetable.next(turn.nowMs - catchUpMs - 1);
  }
  for (; at !== undefined && at <= turn.nowMs; at = timetable.next(at)) note(at);
  const latest = due.pop() ?? entry.nextAt;
  entry.cursorAt = latest;
  entry.nextAt = at;
  entry.counts.missed += count - 1 - due.length;
  for (const missedAt of due) addIdleRun(turn, entry, "missed", missedAt, "nobody could run it at its time");
  takeTarget(turn, entry, latest, timetable.startMs(latest));
  touch(entry);
}

function takeTarget(turn: Turn, entry: JobEntry, plannedAt: number, startMs: number): void {
  if (turn.nowMs - plannedAt > catchUpMs) {
    addIdleRun(turn, entry, "missed", plannedAt, "nobody could run it within a day");
    return;
  }
  const other = activeRuns(entry)[0];
  if (other && entry.current.job.schedule?.overlap !== "allow") {
    addIdleRun(turn, entry, "skipped", plannedAt, `overlap: ${runId(entry.id, other)} has not ended`);
    return;
  }
  const isLate = turn.nowMs - plannedAt > startMs;
  const startBy = plannedAt + (isLate ? catchUpMs : startMs);
  addRun(turn, entry, "scheduled", plannedAt.toString(36), plannedAt, startBy);
}

/** Runs that could not be started in time. */
export function missDeadlines(turn: Turn, entry: JobEntry): void {
  for (const run of activeRuns(entry)) {
    if (run.startBy === 0 || turn.nowMs < run.startBy || run.startedAt > 0) continue;
    if (run.instances.some(({ phase, inQuestion, attempt }) => phase !== "waiting" || inQuestion || attempt > 1))
      continue;
    endRun(turn, entry, run, "missed", "no agent had room for it in time");
  }
}

/** When a job wants to be looked at next, after now; undefined: when something happens. */
export function nextLookAt(entry: JobEntry, nowMs: number, unknownMsMax: number): number | undefined {
  let at = entry.timetable && !entry.isStopped ? entry.nextAt : undefined;
  const earlier = (other: number): void => {
    // What is past was looked at: it waits for something else.
    if (other > nowMs && (at === undefined || other < at)) at = other;
  };
  for (const run of activeRuns(entry)) {
    const waits = run.instances.some(({ phase }) => phase === "waiting");
    if (waits && run.startedAt === 0) earlier(run.startBy);
    for (const { phase, notBefore, unreachableAt } of run.instances) {
      if (phase === "waiting") earlier(notBefore);
      if (unreachableAt > 0) earlier(unreachableAt + unknownMsMax);
    }
  }
  return at;
}

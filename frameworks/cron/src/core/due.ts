import { groupOf } from "./build.ts";
import { awaitedMs } from "./disconnects.ts";
import { type JobEntry, runId } from "./model.ts";
import { activeRuns, addIdleRun, addRun, endRun, stopRun } from "./runs.ts";
import type { Timetable } from "./schedule/timetable.ts";
import { jobOf, type Turn, touch } from "./turn.ts";

/** What was due while nobody could run it is still run within this time, the latest target alone. */
const catchUpMs = 24 * 60 * 60_000;
/** Targets that are listed one by one as missed; more are only counted. */
const missedListedMax = 10;
/** Jitter leaves a part of the time in which a run may start, so that it can still find room. */
const jitterShareMax = 0.9;

/** Deals with every target up to now: the latest is run, skipped or missed, those before it are missed. */
export function takeTargets(turn: Turn, entry: JobEntry): void {
  const { timetable } = entry;
  if (!timetable || entry.isStopped || entry.isPaused) return;
  if (entry.nextAt === undefined || entry.nextAt > turn.nowMs) return;
  const { due, count, nextAt } = targetsUpTo(turn.nowMs, timetable, entry.nextAt);
  const latest = due.pop() ?? entry.nextAt;
  entry.cursorAt = latest;
  entry.nextAt = nextAt;
  entry.counts.missed += count - 1 - due.length;
  for (const missedAt of due) addIdleRun(turn, entry, "missed", missedAt, "nobody could run it at its time");
  takeTarget(turn, entry, latest, timetable.startMs(latest));
  touch(turn, entry);
}

/** Lists what was due while the schedule was paused, and leaves it at that. */
export function skipTargets(turn: Turn, entry: JobEntry, timetable: Timetable, reason: string): void {
  const first = timetable.next(entry.cursorAt);
  if (first === undefined || first > turn.nowMs) return;
  const { due, count } = targetsUpTo(turn.nowMs, timetable, first);
  due.splice(0, due.length - missedListedMax);
  entry.cursorAt = due.at(-1) ?? entry.cursorAt;
  entry.counts.skipped += count - due.length;
  for (const at of due) addIdleRun(turn, entry, "skipped", at, reason);
}

/** The last targets from the first one to now, how many there are, and the one after. */
function targetsUpTo(
  nowMs: number,
  timetable: Timetable,
  firstAt: number,
): { due: number[]; count: number; nextAt: number | undefined } {
  const due: number[] = [];
  let count = 0;
  const note = (at: number): void => {
    count += 1;
    due.push(at);
    if (due.length > missedListedMax + 1) due.shift();
  };
  let at: number | undefined = firstAt;
  if (at < nowMs - catchUpMs) {
    note(at);
    // Nothing before the window is run: it need not be looked at one by one.
    at = timetable.next(nowMs - catchUpMs - 1);
  }
  for (; at !== undefined && at <= nowMs; at = timetable.next(at)) note(at);
  return { due, count, nextAt: at };
}

function takeTarget(turn: Turn, entry: JobEntry, plannedAt: number, startMs: number): void {
  if (turn.nowMs - plannedAt > catchUpMs) {
    addIdleRun(turn, entry, "missed", plannedAt, "nobody could run it within a day");
    return;
  }
  const [other, waiting] = activeRuns(entry);
  const { overlap = "skip", jitterMs = 0 } = entry.current.job.schedule ?? {};
  const isBuffered = other !== undefined && overlap === "buffer_one" && waiting === undefined;
  if (other && (overlap === "skip" || (overlap === "buffer_one" && !isBuffered))) {
    const inTheWay = waiting && overlap === "buffer_one" ? `${runId(entry.id, waiting)} waits already` : undefined;
    const reason = inTheWay ?? `${runId(entry.id, other)} has not ended`;
    addIdleRun(turn, entry, "skipped", plannedAt, `overlap: ${reason}`);
    return;
  }
  if (overlap === "cancel")
    for (const run of activeRuns(entry)) stopRun(turn, entry, run, "killed", "its successor is due");
  const isLate = turn.nowMs - plannedAt > startMs;
  // What waits for another run's end waits as long as that takes.
  const startBy = isBuffered ? 0 : plannedAt + (isLate ? catchUpMs : startMs);
  const waitMs = jitterMs > 0 ? jitterOf(entry.id, Math.min(jitterMs, startMs * jitterShareMax)) : undefined;
  const notBefore = waitMs === undefined ? 0 : plannedAt + waitMs;
  addRun(turn, entry, "scheduled", plannedAt.toString(36), plannedAt, startBy, notBefore);
}

/** The same for one job each time, and spread evenly over jobs. FNV-1a. */
function jitterOf(jobId: string, mostMs: number): number {
  let hash = 0x811c9dc5;
  for (let index = 0; index < jobId.length; index++) hash = Math.imul(hash ^ jobId.charCodeAt(index), 16_777_619);
  // Neighbouring names differ in the low bits alone, until these are mixed in.
  hash = Math.imul(hash ^ (hash >>> 15), 0x2c1b3c6d);
  hash = Math.imul(hash ^ (hash >>> 12), 0x297a2d39);
  return Math.floor((((hash ^ (hash >>> 15)) >>> 0) / 2 ** 32) * mostMs);
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
export function nextLookAt(entry: JobEntry, nowMs: number): number | undefined {
  let at = entry.timetable && !entry.isStopped && !entry.isPaused ? entry.nextAt : undefined;
  const earlier = (other: number): void => {
    // What is past was looked at: it waits for something else.
    if (other > nowMs && (at === undefined || other < at)) at = other;
  };
  for (const run of activeRuns(entry)) {
    const waits = run.instances.some(({ phase }) => phase === "waiting");
    if (waits && run.startedAt === 0) earlier(run.startBy);
    for (const instance of run.instances) {
      const { phase, notBefore, unreachableAt } = instance;
      if (phase === "waiting") earlier(notBefore);
      if (unreachableAt > 0) earlier(unreachableAt + awaitedMs(groupOf(jobOf(entry, run), instance)));
    }
  }
  return at;
}

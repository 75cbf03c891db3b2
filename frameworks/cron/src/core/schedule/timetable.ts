import { invalid } from "@muster/framework-sdk";
import { cronFieldsWithSeconds, isTimeZone, type Schedule } from "@muster/jobspecs";
import { Cron } from "croner";
import { intervalTarget, nextIntervalTarget, parseInterval } from "./interval.ts";

/** No run starts later than this after its time, whatever its period. */
const startMsMax = 10 * 60_000;

/** The times at which a job is due. A pure function of its schedule and of when it was submitted. */
export interface Timetable {
  /** The first target after an instant; undefined if there is none any more. */
  next(afterMs: number): number | undefined;
  /** How late a run may start: until the next one is due, ten minutes at most. */
  startMs(targetAt: number): number;
}

/** Throws `invalid` for a schedule that means nothing. `submittedAt` is the start of an interval that names none. */
export function createTimetable(schedule: Schedule, submittedAt: number): Timetable {
  checkZone(schedule.timeZone);
  const next = schedule.kind === "cron" ? cronNext(schedule) : intervalNext(schedule, submittedAt);
  return {
    next,
    startMs: (targetAt) => {
      const following = next(targetAt);
      return following === undefined ? startMsMax : Math.min(following - targetAt, startMsMax);
    },
  };
}

export function checkZone(timeZone: string): void {
  if (!isTimeZone(timeZone))
    throw invalid("schedule.timeZone", `"${timeZone}": use an IANA name such as America/Los_Angeles or UTC`);
}

/**
 * What `nextRun` of croner 11 does, without its reading the host's clock: it does so even where the moment to go from is
 * given and the answer does not depend on it. A core must not, and in a simulated world it can't.
 */
function nextTarget(pattern: Cron, after: Date): Date | null {
  const { _nextTarget: inner } = pattern as unknown as { _nextTarget(after: Date, now: Date): Date | null };
  return inner.call(pattern, after, after);
}

function cronNext({ expressions, timeZone }: Extract<Schedule, { kind: "cron" }>): Timetable["next"] {
  const patterns = expressions.map((expression, index) => {
    try {
      const hasSeconds = expression.trim().split(/\s+/).length === cronFieldsWithSeconds;
      return new Cron(expression, { timezone: timeZone, paused: true, mode: hasSeconds ? "6-part" : "5-part" });
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      throw invalid(`schedule.expressions[${index}]`, `"${expression}": ${reason}`);
    }
  });
  return (afterMs) => {
    let earliest: number | undefined;
    for (const pattern of patterns) {
      const at = nextTarget(pattern, new Date(afterMs))?.getTime();
      if (at !== undefined && (earliest === undefined || at < earliest)) earliest = at;
    }
    return earliest;
  };
}

function intervalNext(schedule: Extract<Schedule, { kind: "interval" }>, submittedAt: number): Timetable["next"] {
  const interval = parseInterval(schedule.text);
  // Tried once, so that a start beyond all calendars is refused now.
  if (Number.isNaN(intervalTarget(interval, 1, submittedAt, schedule.timeZone)))
    throw invalid("schedule.text", `"${schedule.text}": no such time`);
  return (afterMs) => nextIntervalTarget(interval, afterMs, submittedAt, schedule.timeZone)?.at;
}

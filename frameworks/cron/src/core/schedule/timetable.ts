import { invalid } from "@muster/framework-sdk";
import { isTimeZone, type Schedule } from "@muster/jobspecs";
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

function cronNext({ expressions, timeZone }: Extract<Schedule, { kind: "cron" }>): Timetable["next"] {
  const patterns = expressions.map((expression, index) => {
    try {
      return new Cron(expression, { timezone: timeZone, paused: true, mode: "5-part" });
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      throw invalid(`schedule.expressions[${index}]`, `"${expression}": ${reason}`);
    }
  });
  return (afterMs) => {
    let earliest: number | undefined;
    for (const pattern of patterns) {
      const at = pattern.nextRun(new Date(afterMs))?.getTime();
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

import { invalid } from "@muster/framework-sdk";
import { instantOf, type WallMs, wallTime } from "./wall-time.ts";

/** A repeating interval of ISO 8601: `R[n]/[start]/period`. */
export interface Interval {
  /** How many targets there are in all; undefined: without end. */
  readonly count: number | undefined;
  /** The first target; undefined: when the job was submitted. */
  readonly start: IntervalStart | undefined;
  readonly period: Period;
}

/** An instant, or what clocks of the job's zone show. */
export type IntervalStart = { readonly epochMs: number } | { readonly wall: WallMs };

export interface Period {
  /** Years and months; the last days of months are clamped. */
  readonly months: number;
  /** Weeks and days: they keep the time of day. */
  readonly days: number;
  /** Hours, minutes, seconds: they pass. */
  readonly elapsedMs: number;
}

const dayMs = 86_400_000;
const periodForm =
  /^P(?:(\d+)Y)?(?:(\d+)M)?(?:(\d+)W)?(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:(\d+(?:\.\d{1,3})?)S)?)?$/;
const startForm = /^(\d{4})-(\d{2})-(\d{2})T(\d{2}):(\d{2})(?::(\d{2})(?:\.(\d{1,3}))?)?(Z|[+-]\d{2}:?\d{2})?$/;
/** A shorter period is a loop, not a schedule. */
const periodMsMin = 1_000;

/** Throws `invalid` with what is wrong. */
export function parseInterval(text: string): Interval {
  const [repeat = "", start = "", period = "", ...rest] = text.split("/");
  if (rest.length > 0 || period === "") throw invalid("schedule.text", "must be R/start/period, for instance R//PT2S");
  const count = /^R(\d{0,9})$/.exec(repeat)?.[1];
  if (count === undefined) throw invalid("schedule.text", `"${repeat}" must be R, or R and a number`);
  return {
    count: count === "" ? undefined : Number(count),
    start: start === "" ? undefined : parseStart(start),
    period: parsePeriod(period),
  };
}

function parseStart(text: string): IntervalStart {
  const match = startForm.exec(text);
  if (!match) throw invalid("schedule.text", `"${text}" is no time such as 2026-01-31T09:00:00Z`);
  const [year, month, day, hour, minute, second] = match.slice(1, 7).map((part) => Number(part ?? 0));
  const milli = Number((match[7] ?? "0").padEnd(3, "0"));
  const wall = Date.UTC(year ?? 0, (month ?? 1) - 1, day, hour, minute, second, milli);
  const zone = match[8];
  if (zone === undefined) return { wall };
  if (zone === "Z") return { epochMs: wall };
  const minutes = Number(zone.slice(1, 3)) * 60 + Number(zone.slice(-2));
  return { epochMs: wall - (zone.startsWith("-") ? -1 : 1) * minutes * 60_000 };
}

function parsePeriod(text: string): Period {
  const match = periodForm.exec(text);
  if (!match) throw invalid("schedule.text", `"${text}" is no period such as PT2S, PT24H or P1D`);
  const [years = 0, months = 0, weeks = 0, days = 0, hours = 0, minutes = 0, seconds = 0] = match
    .slice(1)
    .map((part) => Number(part ?? 0));
  const period = {
    months: years * 12 + months,
    days: weeks * 7 + days,
    elapsedMs: Math.round((hours * 3_600 + minutes * 60 + seconds) * 1_000),
  };
  if (averageMs(period) < periodMsMin) throw invalid("schedule.text", `"${text}": must be at least a second`);
  return period;
}

/** Target `index`: the first one and `index` whole periods, never a sum of what really was. */
export function intervalTarget(interval: Interval, index: number, submittedAt: number, timeZone: string): number {
  const { start, period } = interval;
  const first = start === undefined ? submittedAt : "wall" in start ? instantOf(start.wall, timeZone) : start.epochMs;
  if (period.months === 0 && period.days === 0) return first + index * period.elapsedMs;
  const wall = start !== undefined && "wall" in start ? start.wall : wallTime(first, timeZone);
  if (index === 0) return first;
  return instantOf(addCalendar(wall, period, index), timeZone) + index * period.elapsedMs;
}

/** Index and time of the first target after an instant; undefined if there is none. O(1). */
export function nextIntervalTarget(
  interval: Interval,
  afterMs: number,
  submittedAt: number,
  timeZone: string,
): { index: number; at: number } | undefined {
  const targetAt = (index: number): number => intervalTarget(interval, index, submittedAt, timeZone);
  const average = averageMs(interval.period);
  let index = Math.max(0, Math.floor((afterMs - targetAt(0)) / average));
  // Months differ in length: the estimate may be off by a few.
  while (index > 0 && targetAt(index - 1) > afterMs) index--;
  while (targetAt(index) <= afterMs) index++;
  if (interval.count !== undefined && index >= interval.count) return undefined;
  return { index, at: targetAt(index) };
}

function averageMs(period: Period): number {
  return period.months * 30.436_875 * dayMs + period.days * dayMs + period.elapsedMs;
}

function addCalendar(wall: WallMs, period: Period, times: number): WallMs {
  const date = new Date(wall);
  const months = date.getUTCFullYear() * 12 + date.getUTCMonth() + period.months * times;
  const year = Math.floor(months / 12);
  const month = months - year * 12;
  const lastDay = new Date(Date.UTC(year, month + 1, 0)).getUTCDate();
  const day = Math.min(date.getUTCDate(), lastDay) + period.days * times;
  const timeOfDay = ((wall % dayMs) + dayMs) % dayMs;
  return Date.UTC(year, month, day) + timeOfDay;
}

import type { Schedule } from "@muster/jobspecs";
import { expect, test } from "vitest";
import { createTimetable } from "./timetable.ts";

const at = (text: string): number => Date.parse(text);
const iso = (ms: number | undefined): string => (ms === undefined ? "none" : new Date(ms).toISOString().slice(0, 16));

function interval(text: string, timeZone = "UTC"): Schedule {
  return { kind: "interval", text, timeZone, overlap: "skip", enabled: true };
}

function cron(expression: string, timeZone = "UTC"): Schedule {
  return { kind: "cron", expressions: [expression], timeZone, overlap: "skip", enabled: true };
}

/** The targets after an instant, as many as are wanted. */
function targets(schedule: Schedule, from: string, count: number, submitted = from): string[] {
  const timetable = createTimetable(schedule, at(submitted));
  const found: string[] = [];
  let cursor = at(from) - 1;
  for (let i = 0; i < count; i++) {
    const next = timetable.next(cursor);
    found.push(iso(next));
    if (next === undefined) break;
    cursor = next;
  }
  return found;
}

test("R3 has three targets and then none", () => {
  expect(targets(interval("R3/2026-01-01T00:00:00Z/PT1M"), "2026-01-01T00:00:00Z", 9)).toEqual([
    "2026-01-01T00:00",
    "2026-01-01T00:01",
    "2026-01-01T00:02",
    "none",
  ]);
});

test("case 51: a month after the 31st is the last of February, and then the 31st again", () => {
  expect(targets(interval("R/2026-01-31T12:00:00Z/P1M"), "2026-01-01T00:00:00Z", 4)).toEqual([
    "2026-01-31T12:00",
    "2026-02-28T12:00",
    "2026-03-31T12:00",
    "2026-04-30T12:00",
  ]);
});

test("case 52: a day keeps the time of day over DST, 24 hours do not", () => {
  const start = "R/2026-03-07T09:00:00";
  expect(targets(interval(`${start}/P1D`, "America/New_York"), "2026-03-07T00:00:00Z", 3)).toEqual([
    "2026-03-07T14:00",
    "2026-03-08T13:00",
    "2026-03-09T13:00",
  ]);
  expect(targets(interval(`${start}/PT24H`, "America/New_York"), "2026-03-07T00:00:00Z", 3)).toEqual([
    "2026-03-07T14:00",
    "2026-03-08T14:00",
    "2026-03-09T14:00",
  ]);
});

test("a fixed time that falls into the gap is due once, at its end", () => {
  const expected = ["2026-03-07T07:30", "2026-03-08T07:00", "2026-03-09T06:30"];
  expect(targets(cron("30 2 * * *", "America/New_York"), "2026-03-07T00:00:00Z", 3)).toEqual(expected);
  const daily = interval("R/2026-03-07T02:30:00/P1D", "America/New_York");
  expect(targets(daily, "2026-03-07T00:00:00Z", 3)).toEqual(expected);
});

test("a fixed time that is shown twice is due once, the first time", () => {
  const expected = ["2026-10-31T05:30", "2026-11-01T05:30", "2026-11-02T06:30"];
  expect(targets(cron("30 1 * * *", "America/New_York"), "2026-10-31T00:00:00Z", 3)).toEqual(expected);
  const daily = interval("R/2026-10-31T01:30:00/P1D", "America/New_York");
  expect(targets(daily, "2026-10-31T00:00:00Z", 3)).toEqual(expected);
});

test("case 55: quarters of an hour follow elapsed time over both changes", () => {
  const quarters = cron("*/15 * * * *", "America/New_York");
  const back = targets(quarters, "2026-11-01T05:00:00Z", 9);
  expect(back).toEqual([0, 15, 30, 45, 60, 75, 90, 105, 120].map((m) => iso(at("2026-11-01T05:00:00Z") + m * 60_000)));
  const forward = targets(quarters, "2026-03-08T06:30:00Z", 6);
  expect(forward).toEqual([0, 15, 30, 45, 60, 75].map((m) => iso(at("2026-03-08T06:30:00Z") + m * 60_000)));
});

test("case 56: the same holds where the clocks move by half an hour", () => {
  const zone = "Australia/Lord_Howe";
  expect(targets(cron("10 2 * * *", zone), "2026-10-02T00:00:00Z", 3)).toEqual([
    "2026-10-02T15:40",
    "2026-10-03T15:30",
    "2026-10-04T15:10",
  ]);
  expect(targets(cron("45 1 * * *", zone), "2026-04-03T00:00:00Z", 3)).toEqual([
    "2026-04-03T14:45",
    "2026-04-04T14:45",
    "2026-04-05T15:15",
  ]);
  expect(targets(interval("R/2026-10-03T02:10:00/P1D", zone), "2026-10-02T00:00:00Z", 3)).toEqual([
    "2026-10-02T15:40",
    "2026-10-03T15:30",
    "2026-10-04T15:10",
  ]);
});

test("case 57: zones are named in full", () => {
  for (const zone of ["PST", "EST", "CET", "Mars/Olympus", "+02:00"])
    expect(() => createTimetable(cron("@daily", zone), 0), zone).toThrow(/IANA name such as America\/Los_Angeles/);
  expect(() => createTimetable(cron("@daily", "UTC"), 0)).not.toThrow();
});

test("case 90: a start years ago leaves its rhythm, not a burst", () => {
  const past = interval("R/2019-01-01T00:00:07Z/PT1H");
  expect(targets(past, "2026-06-01T10:30:00Z", 2)).toEqual(["2026-06-01T11:00", "2026-06-01T12:00"]);
  expect(targets(interval("R3/2019-01-01T00:00:00Z/PT1H"), "2026-06-01T10:30:00Z", 1)).toEqual(["none"]);
});

test("an empty start is when the job was submitted, and macros mean what they say", () => {
  expect(targets(interval("R//PT90S"), "2026-06-01T10:00:30Z", 2)).toEqual(["2026-06-01T10:00", "2026-06-01T10:02"]);
  expect(targets(cron("@daily", "Europe/Berlin"), "2026-06-01T10:00:00Z", 1)).toEqual(["2026-06-01T22:00"]);
});

test("a run may start until the next is due, ten minutes at most", () => {
  expect(createTimetable(cron("* * * * *"), 0).startMs(0)).toBe(60_000);
  expect(createTimetable(cron("@daily"), 0).startMs(0)).toBe(600_000);
});

test("what is no interval is refused with its reason", () => {
  for (const text of [
    "R/2026-01-01T00:00:00Z",
    "X//PT2S",
    "R//2S",
    "R//PT0S",
    "R//PT0.5S",
    "R/yesterday/P1D",
    "R//P1D/x",
  ])
    expect(() => createTimetable(interval(text), 0), text).toThrow(/schedule.text/);
});

test("a cron text of six fields begins with seconds", () => {
  const first = Date.parse("2026-06-01T10:00:00Z");
  const dueAt = (expression: string, count: number): number[] => {
    const made: number[] = [];
    const { next } = createTimetable(cron(expression), 0);
    for (let at: number | undefined = first; made.length < count; ) {
      at = next(at as number);
      made.push(((at as number) - first) / 1_000);
    }
    return made;
  };
  expect(dueAt("*/20 * * * * *", 4)).toEqual([20, 40, 60, 80]);
  expect(dueAt("30 */5 * * * *", 3)).toEqual([30, 330, 630]);
  expect(createTimetable(cron("*/20 * * * * *"), 0).startMs(first)).toBe(20_000);
});

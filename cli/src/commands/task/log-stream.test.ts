import { expect, test } from "vitest";
import { sinceOf } from "./log-stream.ts";

const nowMs = Date.parse("2030-06-01T12:00:00Z");

test.each([
  [undefined, 0],
  ["90s", nowMs - 90_000],
  ["1h30m", nowMs - 5_400_000],
  ["2030-06-01T11:00:00Z", nowMs - 3_600_000],
  ["2030-06-01 11:00:00+00:00", nowMs - 3_600_000],
  ["2030-06-01T13:00:00.5+02:00", nowMs - 3_599_500],
  ["2030-06-01", nowMs - 43_200_000],
])("--since %s", (text, expected) => {
  expect(sinceOf(text, nowMs)).toBe(expected);
});

test.each(["yesterday", "12:00", "2030-13-01T00:00:00Z", "-5m"])("--since %s is refused with what would do", (text) => {
  expect(() => sinceOf(text, nowMs)).toThrow("--since needs a duration such as");
});

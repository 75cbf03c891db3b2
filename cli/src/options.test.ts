import { expect, test } from "vitest";
import { optionsOf, parseDurationMs } from "./options.ts";

test.each([
  ["90s", 90_000],
  ["1h30m", 5_400_000],
  ["250ms", 250],
  ["1.5s", 1_500],
  ["30", 30_000],
  ["2d", 172_800_000],
  ["5 m", undefined],
  ["", undefined],
  ["-1s", undefined],
])("%s lasts %s ms", (text, ms) => {
  expect(parseDurationMs(text)).toBe(ms);
});

test("a count that is no number is refused with the flag's name", () => {
  expect(() => optionsOf({ portOffset: "ten" }).integer("portOffset")).toThrow("--port-offset needs a whole number");
});

import { expect, test } from "vitest";
import { countStart } from "./count-start.ts";

test("a start is counted higher than the last, and than any of an earlier second, also after the records went back", () => {
  expect(countStart(0, 1_700_000_000_000)).toBe(1_700_000_000);
  const first = countStart(7, 1_700_000_000_999);
  const second = countStart(first, 1_700_000_000_999);
  expect(second).toBe(first + 1);
  // Started again from the copy that had 7, two seconds later.
  expect(countStart(7, 1_700_000_002_999)).toBeGreaterThan(second);
});

test("a clock that goes back changes nothing", () => {
  expect(countStart(1_700_000_000, 5_000)).toBe(1_700_000_001);
});

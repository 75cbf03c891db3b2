import { expect, test } from "vitest";
import type { ClaimAnswer } from "../scheduler/claims.ts";
import { ClaimRefusals } from "./claims.ts";

const refused = (sequence: number, kind = "stale"): ClaimAnswer => ({
  request: { agentId: "a", groups: [] },
  granted: false,
  refusal: { kind, message: "", field: "", retryAfterMs: 0 },
  sequence,
});

test("an agent that refused is asked again when the feed has told why", () => {
  const refusals = new ClaimRefusals();
  expect(refusals.note(refused(7), 1_000)).toBe(0);
  expect(refusals.holdsBack("a", 6, 1_000)).toBe(true);
  expect(refusals.holdsBack("a", 7, 1_000)).toBe(false);
});

test("what is refused again although nothing was told since waits, and is not asked for ever and ever", () => {
  const refusals = new ClaimRefusals();
  refusals.note(refused(7), 1_000);
  expect(refusals.note(refused(7), 1_002)).toBe(1_000);
  // The second claim of the same set.
  refusals.note(refused(7), 1_002);
  expect(refusals.holdsBack("a", 7, 2_001)).toBe(true);
  expect(refusals.holdsBack("a", 7, 2_002)).toBe(false);
  expect(refusals.note(refused(7), 2_003)).toBe(1_000);
  // Something was told: that may be why.
  expect(refusals.note(refused(9), 3_010)).toBe(0);
  expect(refusals.holdsBack("a", 9, 3_010)).toBe(false);
});

test("claims of one set that are refused for the first time do not wait", () => {
  const refusals = new ClaimRefusals();
  refusals.note(refused(7), 1_000);
  refusals.note(refused(7), 1_000);
  expect(refusals.holdsBack("a", 7, 1_000)).toBe(false);
});

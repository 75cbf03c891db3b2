import { expect, test } from "vitest";
import { planEviction } from "./plan-eviction.ts";

const kept = (name: string, bytes: number, usedAtMs: number) => ({ name, bytes, usedAtMs });

test("what was not wanted for the longest time goes, and no more than has to", () => {
  const all = [kept("b", 40, 20), kept("a", 40, 10), kept("c", 40, 30)];
  expect(planEviction(all, 120)).toEqual([]);
  expect(planEviction(all, 100)).toEqual(["a"]);
  expect(planEviction(all, 40)).toEqual(["a", "b"]);
  expect(planEviction(all, 0)).toEqual(["a", "b", "c"]);
});

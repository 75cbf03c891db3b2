import { expect, test } from "vitest";
import { type LastLook, planLooks } from "./plan-looks.ts";

const mebibyte = 1024 * 1024;
const limitBytes = 100 * mebibyte;
const questions = ["a", "b", "c"].map((id) => ({ id, limitBytes }));

function looks(used: Readonly<Record<string, number>>, fallenMiB: number, turn = 0): string[] {
  const known = new Map<string, LastLook>();
  for (const [id, usedMiB] of Object.entries(used))
    known.set(id, { usedBytes: usedMiB * mebibyte, freeBytes: 10_000 * mebibyte });
  return planLooks(questions, known, (10_000 - fallenMiB) * mebibyte, turn);
}

test("while the disk does not fill, one task is looked at in its turn", () => {
  expect(looks({ a: 10, b: 10, c: 10 }, 0, 1)).toEqual(["b"]);
  expect(looks({ a: 10, b: 10, c: 10 }, -500, 2)).toEqual(["c"]);
});

test("when the disk fills, those are looked at that may be why, the fullest first of all", () => {
  expect(looks({ a: 10, b: 90, c: 10 }, 20, 1)).toEqual(["b"]);
  expect(looks({ a: 10, b: 90, c: 10 }, 200, 1)).toEqual(["a", "b", "c"]);
});

test("who was never looked at, or is beyond its limit, is looked at in any case", () => {
  expect(looks({ a: 10, b: 101 }, 0)).toEqual(["b", "c", "a"]);
});

test("without tasks there is nothing to look at", () => {
  expect(planLooks([], new Map(), 0, 7)).toEqual([]);
});

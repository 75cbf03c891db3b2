import { expect, test } from "vitest";
import { cutByTime, entryBytes, offsetSince, parseTimes } from "./log-times.ts";

const entries = [
  { offset: 0, fromMs: 1_400, untilMs: 2_000 },
  { offset: 10, fromMs: 5_100, untilMs: 6_000 },
  { offset: 25, fromMs: 6_300, untilMs: 7_000 },
];

test("an entry that is not whole yet is left for later", () => {
  const bytes = Buffer.alloc(entryBytes + 5);
  bytes.writeBigUInt64LE(7n, 0);
  bytes.writeBigUInt64LE(1_700_000_000_123n, 8);
  bytes.writeBigUInt64LE(1_700_000_001_000n, 16);
  expect(parseTimes(bytes)).toEqual([{ offset: 7, fromMs: 1_700_000_000_123, untilMs: 1_700_000_001_000 }]);
});

test.each([
  [0, 0],
  [1_999, 0],
  [2_000, 10],
  [5_999, 10],
  [6_999, 25],
  [7_000, undefined],
])("what came since %i begins at byte %s", (sinceMs, offset) => {
  expect(offsetSince(entries, sinceMs)).toBe(offset);
});

test("bytes are cut where their time changes, and none is lost", () => {
  const cut = (length: number, offset: number) =>
    cutByTime(Buffer.alloc(length), offset, entries).map(({ bytes, at }) => [bytes.length, at]);
  expect(cut(40, 0)).toEqual([
    [10, 1_400],
    [15, 5_100],
    [15, 6_300],
  ]);
  expect(cut(10, 12)).toEqual([[10, 5_100]]);
  expect(cut(5, 30)).toEqual([[5, 6_300]]);
  expect(cutByTime(Buffer.alloc(3), 0, [])).toEqual([{ bytes: Buffer.alloc(3), at: 0 }]);
});

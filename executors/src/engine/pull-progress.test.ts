import { expect, test } from "vitest";
import { PullProgress } from "./pull-progress.ts";

const line = (fields: object): string => `${JSON.stringify(fields)}\n`;

test("layers and their sizes are those that are fetched, told once each", () => {
  const progress = new PullProgress();
  const fetching = { status: "Downloading", id: "a", progressDetail: { current: 1, total: 100 } };
  expect(progress.take(line({ status: "Pulling fs layer", id: "a", progressDetail: {} }))).toBe(false);
  expect(progress.take(line(fetching))).toBe(true);
  expect(progress.take(line({ ...fetching, progressDetail: { current: 90, total: 100 } }))).toBe(false);
  expect(progress.take(line({ status: "Extracting", id: "a", progressDetail: { current: 5, total: 999 } }))).toBe(
    false,
  );
  progress.take(line({ ...fetching, id: "b", progressDetail: { current: 1, total: 20 } }));
  expect([progress.layerCount, progress.bytes, progress.error]).toEqual([2, 120, undefined]);
});

test("lines come in any pieces, and the last one may lack its end", () => {
  const progress = new PullProgress();
  const text =
    line({ status: "Downloading", id: "a", progressDetail: { total: 7 } }) + line({ error: "no such thing" });
  for (const letter of text.trimEnd()) progress.take(letter);
  progress.end();
  expect([progress.bytes, progress.error]).toEqual([7, "no such thing"]);
});

test("a line without end is refused", () => {
  expect(() => new PullProgress().take("x".repeat(1_000_000))).toThrow(/without end/);
});

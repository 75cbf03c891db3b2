import { expect, test } from "vitest";
import { Batch } from "./batch.ts";

test("what is asked for at once is one run, and what comes meanwhile is the next", async () => {
  const runs: (readonly string[])[] = [];
  const batch = new Batch<string>(async (items) => {
    runs.push(items);
    if (runs.length === 1) later = batch.add("c");
    return items.map(() => undefined);
  }, 100);
  let later: Promise<void> | undefined;
  await Promise.all([batch.add("a"), batch.add("b")]);
  await later;
  expect(runs).toEqual([["a", "b"], ["c"]]);
});

test("one that fails fails alone, and a run that fails fails all of it and not the next", async () => {
  let count = 0;
  const batch = new Batch<string>(async (items) => {
    if (++count === 2) throw new Error("the tool is gone");
    return items.map((item) => (item === "bad" ? new Error("bad one") : undefined));
  }, 2);
  const outcomes = await Promise.allSettled(["good", "bad", "third", "fourth", "fifth"].map((item) => batch.add(item)));
  expect(outcomes.map(({ status }) => status)).toEqual(["fulfilled", "rejected", "rejected", "rejected", "fulfilled"]);
});

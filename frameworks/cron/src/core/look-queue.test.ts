import fc from "fast-check";
import { expect, test } from "vitest";
import { LookQueue } from "./look-queue.ts";
import type { JobEntry } from "./model.ts";

const aMove = fc.oneof(
  { weight: 5, arbitrary: fc.record({ job: fc.nat(9), atMs: fc.option(fc.nat(1_000), { nil: undefined }) }) },
  { weight: 1, arbitrary: fc.record({ takeAtMs: fc.nat(1_000) }) },
);

test("jobs are taken when their time has come, in its order, as it was said last and once", () => {
  fc.assert(
    fc.property(fc.array(aMove, { maxLength: 200 }), (moves) => {
      const jobs = Array.from({ length: 10 }, (_, id) => ({ id: String(id) }) as JobEntry);
      const queue = new LookQueue();
      const planned = new Map<JobEntry, number>();
      for (const move of moves) {
        if ("takeAtMs" in move) {
          const wanted = [...planned].filter(([, atMs]) => atMs <= move.takeAtMs);
          const taken = queue.takeDue(move.takeAtMs);
          expect(new Set(taken)).toEqual(new Set(wanted.map(([job]) => job)));
          expect(taken.map((job) => planned.get(job))).toEqual(wanted.map(([, atMs]) => atMs).sort((a, b) => a - b));
          for (const job of taken) planned.delete(job);
        } else {
          const job = jobs[move.job] as JobEntry;
          queue.set(job, move.atMs);
          if (move.atMs === undefined) planned.delete(job);
          else planned.set(job, move.atMs);
        }
        expect(queue.nextMs).toBe(planned.size === 0 ? undefined : Math.min(...planned.values()));
      }
    }),
  );
});

test("plans that change for ever take no more room than jobs, but for a bounded rest", () => {
  const queue = new LookQueue();
  const jobs = [1, 2, 3].map((id) => ({ id: String(id) }) as JobEntry);
  for (let step = 0; step < 10_000; step++) for (const job of jobs) queue.set(job, 1_000_000 - step);
  expect(queue.plannedCount).toBeLessThan(1_100);
  expect(queue.takeDue(2_000_000)).toHaveLength(3);
  expect(queue.nextMs).toBeUndefined();
});

import { Hits } from "@muster/testing";
import { expect, test } from "vitest";
import { describe } from "../report.ts";
import { runSmall } from "./run-small.ts";

/** Seeds of the small workload that CI runs, in all. */
export const smallSeedCount = 80;
const seedsPerTest = 5;

/** Every decision and fault that the small workload has beside those of the first one. */
const expectedHits: readonly (readonly [fault: string, component: string])[] = [
  ["stale-connection", "network"],
  ["gone", "agent"],
  ["maintenance", "agent"],
  ["teardown", "framework"],
  ["quota", "role"],
  ["weight", "role"],
  ["deactivate", "agent"],
  ["drain", "agent"],
  ["pause", "reader"],
  ["cut", "reader"],
];

/** Seeds of one part, some in each test. */
export function testSmallSeeds(part: number, partCount: number): void {
  const seeds = Array.from({ length: smallSeedCount / partCount }, (_, index) => 1 + part + index * partCount);
  const hits = new Hits();
  for (let first = 0; first < seeds.length; first += seedsPerTest) {
    const some = seeds.slice(first, first + seedsPerTest);
    test(`seeds ${some[0]} to ${some.at(-1)} of the small workload keep their invariants, and all comes right`, () => {
      for (const seed of some) {
        const report = runSmall(seed);
        hits.merge(report.hits);
        expect(report.violations.length, `\n${describe(report)}`).toBe(0);
      }
    });
  }
  test("what befalls only the small workload has befallen it", () => {
    console.log(hits.table());
    expect(hits.missing(expectedHits)).toEqual([]);
  });
}

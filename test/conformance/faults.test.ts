import { expect, test } from "vitest";
import { describe } from "../simulation/report.ts";
import { runSeed } from "../simulation/run-seed.ts";

/** Another range than that of the simulation, so that more is seen. */
const seedFirst = 5_001;
const faultsWanted = 1_000;

test("case 77: a thousand faults by chance leave no over-commitment, no port twice, sums right, one end per task and nothing acknowledged lost", () => {
  let faultCount = 0;
  for (let seed = seedFirst; faultCount < faultsWanted; seed++) {
    const report = runSeed(seed);
    // A message that came late is no fault to count.
    for (const [fault, , count] of report.hits) if (fault !== "delay") faultCount += count;
    expect(report.violations, describe(report)).toEqual([]);
    expect(report.startCount).toBeGreaterThan(0);
  }
  expect(faultCount).toBeGreaterThanOrEqual(faultsWanted);
}, 240_000);

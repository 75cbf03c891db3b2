import type { Hits } from "@muster/testing";
import { beforeAll, expect, test } from "vitest";
import type { SeedReport } from "./report.ts";
import { type Campaign, sharedCampaign } from "./shared-campaign.ts";

/** Seeds that CI runs, in all: long lives, and many rare mixtures. */
export const seedCounts = { first: 200, small: 1_800 } as const;
/** How many of the small workload one test runs. */
const smallSeedsPerTest = 100;

const programs = ["master", "agent", "services", "cron", "sdk-framework", "dns"];
const ofPrograms = ["crash", "pause", "cut", "cut-in", "cut-out", "slow", "skew", "partition", "delay", "loss"];
const ofAgents = ["reboot", "task-killed", "supervisor-lost", "disk-full", "disk-slow", "disk-torn"];
const ofStore = ["store-refused", "store-answer-lost", "store-slow"];

type ExpectedHits = readonly (readonly [fault: string, component: string])[];

/** Every fault that must have befallen every component that can have it, in the first workload. */
const expectedHits: ExpectedHits = [
  ...ofPrograms.flatMap((fault) => programs.map((component) => [fault, component] as const)),
  ...ofAgents.map((fault) => [fault, "agent"] as const),
  ...ofStore.map((fault) => [fault, "store"] as const),
  ["call-loss", "master"],
  ["duplicate", "master"],
];

/** What the small workload has beside that. */
const expectedSmallHits: ExpectedHits = [
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

/** Seeds of one of several parts, each of which has a worker of its own; and that every fault has hit what it can hit. */
export function testSeeds(part: number, partCount: number): void {
  let campaign: Campaign;
  let hits: Record<keyof typeof seedCounts, Hits>;
  beforeAll(async () => {
    campaign = await sharedCampaign();
    hits = { first: new campaign.Hits(), small: new campaign.Hits() };
  });
  const take = (workload: keyof typeof seedCounts, report: SeedReport): SeedReport => {
    hits[workload].merge(report.hits);
    expect(report.violations.length, `\n${campaign.describe(report)}`).toBe(0);
    return report;
  };

  test.each(seedsOf(seedCounts.first, part, partCount))(
    "case 38: seed %i keeps its invariants, and is as wanted a minute after its chaos ended",
    (seed) => {
      const report = take("first", campaign.runSeed(seed));
      expect(report.virtualMs).toBeGreaterThanOrEqual(600_000);
      expect(report.startCount).toBeGreaterThanOrEqual(200);
    },
  );

  const small = seedsOf(seedCounts.small, part, partCount);
  for (let first = 0; first < small.length; first += smallSeedsPerTest) {
    const some = small.slice(first, first + smallSeedsPerTest);
    test(`seeds ${some[0]} to ${some.at(-1)} of the small workload keep their invariants, and all comes right`, () => {
      for (const seed of some) take("small", campaign.runSmall(seed));
    });
  }

  test("case 37: every fault has hit every component that can have it", () => {
    for (const [workload, hit] of Object.entries(hits)) console.log(`${workload}:\n${hit.table()}`);
    expect(hits.first.missing(expectedHits)).toEqual([]);
    expect(hits.small.missing(expectedSmallHits)).toEqual([]);
  });
}

function seedsOf(count: number, part: number, partCount: number): number[] {
  return Array.from({ length: Math.ceil((count - part) / partCount) }, (_, index) => 1 + part + index * partCount);
}

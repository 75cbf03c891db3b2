import { Hits } from "@muster/testing";
import { expect, test } from "vitest";
import { describe, type SeedReport } from "./report.ts";
import { runSeed } from "./run-seed.ts";

/** Seeds that CI runs, in all. */
export const seedCount = 200;

const programs = ["master", "agent", "services", "cron", "sdk-framework", "dns"];
const ofPrograms = ["crash", "pause", "cut", "cut-in", "cut-out", "slow", "skew", "partition", "delay", "loss"];
const ofAgents = ["reboot", "task-killed", "supervisor-lost", "disk-full", "disk-slow", "disk-torn"];
const ofStore = ["store-refused", "store-answer-lost", "store-slow"];

/** Every fault that must have befallen every component that can have it. */
export const expectedHits: readonly (readonly [fault: string, component: string])[] = [
  ...ofPrograms.flatMap((fault) => programs.map((component) => [fault, component] as const)),
  ...ofAgents.map((fault) => [fault, "agent"] as const),
  ...ofStore.map((fault) => [fault, "store"] as const),
  ["call-loss", "master"],
  ["duplicate", "master"],
];

/** The seeds of one part, or the one that the environment names. */
export function seedsOf(part: number, partCount: number): number[] {
  const wanted = process.env["MUSTER_SEED"];
  if (wanted !== undefined) return part === 0 ? [Number(wanted)] : [];
  return Array.from({ length: seedCount / partCount }, (_, index) => 1 + part + index * partCount);
}

/** One test a seed, and one that every fault has hit every component that can have it. */
export function testSeeds(part: number, partCount: number): void {
  const seeds = seedsOf(part, partCount);
  if (seeds.length === 0) {
    test.skip("another part has the seed that was asked for", () => {});
    return;
  }
  const reports = new Map<number, SeedReport>();
  const reportOf = (seed: number): SeedReport => {
    const report = reports.get(seed) ?? runSeed(seed);
    reports.set(seed, report);
    return report;
  };
  test.each(seeds)("case 38: seed %i keeps its invariants, and is as wanted a minute after its chaos ended", (seed) => {
    const report = reportOf(seed);
    expect(report.violations.length, `\n${describe(report)}`).toBe(0);
    expect(report.virtualMs).toBeGreaterThanOrEqual(600_000);
    expect(report.startCount).toBeGreaterThanOrEqual(200);
  });
  // Alone it has all seeds to run.
  const hasAll = { timeout: 1_800_000 };
  test.skipIf(seeds.length < 50)("case 37: every fault has hit every component that can have it", hasAll, () => {
    const hits = new Hits();
    for (const seed of seeds) hits.merge(reportOf(seed).hits);
    console.log(hits.table());
    expect(hits.missing(expectedHits)).toEqual([]);
  });
}

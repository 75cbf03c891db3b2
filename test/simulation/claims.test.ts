import { ClaimWatch, Inspector, masterAddress, SimCluster } from "@muster/testing";
import { expect, test } from "vitest";
import { startBesideJobs } from "./beside-jobs.ts";
import { claimingGangs } from "./claiming-gangs.ts";

const seeds = Array.from({ length: 2 }, (_, index) => index + 1);
const phasesMs = { chaosBegins: 20_000, chaosEnds: 90_000, ends: 130_000 } as const;

/** Gangs that claim, beside frameworks that wait for offers, on three agents that are too small for all. */
function runGangs(seed: number) {
  const cluster = new SimCluster({ seed: `claims-${seed}`, cpuMillis: 1_200, memoryMiB: 2_048 });
  const inspector = new Inspector(cluster);
  const claims = new ClaimWatch();
  inspector.onScheduling = (_from, message) => {
    claims.asked(message.claims ?? []);
    cluster.violations.add(claims.answered(message.claimResults ?? []));
  };
  inspector.onStart = ({ spec }) => cluster.violations.add(claims.started(spec.environment["MUSTER_TASK_ID"] ?? ""));
  cluster.addProgram("gangs", "sdk-framework", (life) => claimingGangs(cluster.runtimeOf(life), masterAddress));
  startBesideJobs(cluster, inspector, phasesMs);
  cluster.world.run({ untilMs: phasesMs.chaosEnds });
  const grantedBefore = claims.grantedSetCount;
  cluster.world.run({ untilMs: phasesMs.ends });
  return { cluster, claims, grantedBefore };
}

const counts = { granted: 0, refused: 0 };

test.each(seeds)("seed %i: gangs are launched whole or not at all, and go on when all is well again", (seed) => {
  const { cluster, claims, grantedBefore } = runGangs(seed);
  expect(cluster.violations.all, `seed ${seed}`).toEqual([]);
  expect(claims.grantedSetCount).toBeGreaterThan(grantedBefore);
  counts.granted += claims.grantedSetCount;
  counts.refused += claims.refusedSetCount;
});

test("the seeds know both ends of a set: granted and refused", () => {
  expect(counts.granted).toBeGreaterThan(10);
  expect(counts.refused).toBeGreaterThan(0);
});

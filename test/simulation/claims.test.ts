import { createCron } from "@muster/cron";
import { createServices } from "@muster/services";
import { afflictionsOf, ClaimWatch, Inspector, masterAddress, Nemesis, SimCluster } from "@muster/testing";
import { expect, test } from "vitest";
import { claimingGangs } from "./claiming-gangs.ts";
import { placeOrders } from "./jobs.ts";

const seeds = Array.from({ length: 3 }, (_, index) => index + 1);
const phasesMs = { chaosBegins: 20_000, chaosEnds: 90_000, ends: 130_000 } as const;

/** Gangs that claim, beside frameworks that wait for offers, on three agents that are too small for all. */
function runGangs(seed: number) {
  const cluster = new SimCluster({ seed: `claims-${seed}`, cpuMillis: 1_500, memoryMiB: 2_048 });
  const inspector = new Inspector(cluster);
  const claims = new ClaimWatch();
  inspector.onScheduling = (_from, message) => {
    claims.asked(message.claims ?? []);
    cluster.violations.add(claims.answered(message.claimResults ?? []));
  };
  inspector.onStart = ({ spec }) => cluster.violations.add(claims.started(spec.environment["MUSTER_TASK_ID"] ?? ""));
  cluster.addProgram("gangs", "sdk-framework", (life) => claimingGangs(cluster.runtimeOf(life), masterAddress));
  cluster.addProgram("services", "services", (life) => {
    createServices(cluster.runtimeOf(life), { address: masterAddress }).start();
  });
  cluster.addProgram("cron", "cron", (life) => createCron(cluster.runtimeOf(life), { address: masterAddress }).start());
  const { world, links, hits, programs, store } = cluster;
  const hosts = new Map(cluster.agents.map((agent) => [agent.name, agent]));
  const nemesis = new Nemesis(world, afflictionsOf({ world, links, hits, programs, hosts, store }), hits);
  cluster.start();
  placeOrders(cluster);
  inspector.start();
  world.after(undefined, phasesMs.chaosBegins, "chaos", () => nemesis.start());
  world.after(undefined, phasesMs.chaosEnds, "heal", () => nemesis.heal());
  world.run({ untilMs: phasesMs.chaosEnds });
  const grantedBefore = claims.grantedSetCount;
  world.run({ untilMs: phasesMs.ends });
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

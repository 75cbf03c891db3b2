import { createScheduler, emptyMessage, type Offer, resources, type Scheduler } from "@muster/framework-sdk";
import { expect, test } from "vitest";
import { Inspector } from "./inspector.ts";
import { masterAddress, SimCluster } from "./sim-cluster.ts";

const shape = resources({ cpuMillis: 700, memoryMiB: 64 });

/** Wants ten of a shape, of which five fit on each of the two agents, and starts a task on each that it is offered. */
function aWorld(seed: number) {
  const cluster = new SimCluster({ seed, agents: 2, cpuMillis: 4_000 });
  const inspector = new Inspector(cluster);
  const offered: Offer[] = [];
  let scheduler: Scheduler | undefined;
  let taskCount = 0;
  cluster.addProgram("precise", "framework", (life) => {
    const own = createScheduler(
      cluster.runtimeOf(life),
      { address: masterAddress, framework: { name: "precise", roles: ["precise"] }, suppressedRoles: ["precise"] },
      {
        offers(offers) {
          offered.push(...offers);
          for (const { offerId, resources: amount } of offers) {
            const groups = Array.from({ length: (amount?.cpuMillis ?? 0) / shape.cpuMillis }, () => {
              const taskId = `precise.${++taskCount}`;
              const task = { ...emptyMessage("TaskInfo"), taskId, name: "precise", resources: shape };
              return { ...emptyMessage("TaskGroup"), launchId: `launch.${taskCount}`, tasks: [task] };
            });
            own.accept([offerId], groups);
          }
        },
        update() {},
      },
    );
    scheduler = own;
    own.demand([{ count: 8, resources: shape }]);
    own.start();
  });
  cluster.start();
  inspector.start();
  return { cluster, offered, demand: (count: number) => scheduler?.demand([{ count, resources: shape }]) };
}

test("a demand is met once, in whole shapes", () => {
  const { cluster, offered } = aWorld(11);
  cluster.run(30_000);
  expect(offered.map(({ resources: amount }) => amount?.cpuMillis)).toEqual([3_500, 2_100]);
  expect(cluster.violations.all).toEqual([]);
});

test("what is wanted is said again to a new leader, and only that is offered by it", () => {
  const { cluster, offered, demand } = aWorld(12);
  cluster.run(30_000);
  const before = offered.length;
  demand(1);
  cluster.master.program.crash();
  cluster.run(60_000);
  expect(offered.slice(before).every(({ resources: amount }) => amount?.cpuMillis === 700)).toBe(true);
  expect(offered.length).toBeGreaterThan(before);
  expect(cluster.violations.all).toEqual([]);
});

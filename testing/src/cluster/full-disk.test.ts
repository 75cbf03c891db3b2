import { command, defineFramework, runFramework } from "@muster/framework-sdk";
import type { SubscribeResponse } from "@muster/proto";
import { TaskState } from "@muster/proto";
import { expect, test } from "vitest";
import { Inspector } from "./inspector.ts";
import { masterAddress, SimCluster } from "./sim-cluster.ts";

test.each(["offers", "claims"] as const)(
  "by %s: an agent whose disk is full is asked less and less often, and gets its tasks when it is not full any more",
  (strategy) => {
    const cluster = new SimCluster({ seed: 1, agents: 1 });
    const inspector = new Inspector(cluster);
    let droppedCount = 0;
    let runningCount = 0;
    inspector.onScheduling = (_from, { updates = [] }: Partial<SubscribeResponse>) => {
      for (const { state } of updates) {
        if (state === TaskState.TASK_DROPPED) droppedCount++;
        if (state === TaskState.TASK_RUNNING) runningCount++;
      }
    };
    const framework = defineFramework({
      name: "keeper",
      strategy,
      reconcile: ({ tasks, place }) =>
        place(3 - tasks.live().length, {
          name: "keeper",
          resources: { cpuMillis: 100, memoryMiB: 32 },
          run: command("work", ["serve"]),
        }),
    });
    const program = cluster.addProgram("keeper", "framework", (life) => {
      runFramework(framework, { address: masterAddress, runtime: cluster.runtimeOf(life) });
    });
    const [agent] = cluster.agents;
    if (agent === undefined) throw new Error("no agent");
    cluster.master.program.start();
    agent.program.start();
    inspector.start();
    // It has its id.
    cluster.run(3_000);
    agent.disk.faults = { ...agent.disk.faults, isFull: true };
    program.start();
    cluster.run(60_000);
    // Three at once, after 1, 2, 4, 8, 16 and 32 seconds.
    expect(droppedCount).toBeGreaterThanOrEqual(6);
    expect(droppedCount).toBeLessThanOrEqual(3 * 8);
    expect(runningCount).toBe(0);
    agent.disk.faults = { ...agent.disk.faults, isFull: false };
    cluster.run(75_000);
    expect(cluster.agents[0]?.processes.alive()).toHaveLength(3);
    expect(cluster.violations.all).toEqual([]);
  },
);

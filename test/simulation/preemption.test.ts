import { expect, test } from "vitest";
import { taskCpuMillis } from "./important-tasks.ts";
import { agentCount, agentCpuMillis, runPreemption } from "./run-preemption.ts";

const seeds = [1];

test.each(seeds)("seed %i: the promised get their room, budgets hold, and nobody important gives way", (seed) => {
  const { cluster, preempted, living } = runPreemption(seed);
  expect(cluster.violations.all, `seed ${seed}`).toEqual([]);
  expect(preempted("filler")).toBeGreaterThan(3);
  // As important as those of the promised role by less than the distance, or more so: they are never ended for it.
  expect(preempted("equal")).toBe(0);
  expect(preempted("urgent")).toBe(0);
  expect((living("prod") + living("urgent")) * taskCpuMillis).toBeLessThanOrEqual(agentCpuMillis * agentCount);
});

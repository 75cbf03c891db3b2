import { command, defineFramework } from "@muster/framework-sdk";
import { expect, test } from "vitest";
import { testCluster } from "./test-cluster.ts";

const run = command("busybox", ["sleep", "60"]);

/** Gangs of four, each as large as half an agent; the second waits until the first has ended. */
const gangs = (size: number) =>
  defineFramework({
    name: "gangs",
    strategy: "claims",
    reconcile({ tasks, placeTogether }) {
      if (tasks.live().length > 0) return undefined;
      return placeTogether(size, { name: "member", resources: { cpuMillis: 2_000, memoryMiB: 64 }, run });
    },
  });

test("a gang starts where there is room for all of it, in one moment", () => {
  const lab = testCluster({ seed: 3, agents: 2, framework: gangs(4) });
  lab.settle();
  expect(
    lab
      .running()
      .map(({ agentName }) => agentName)
      .sort(),
  ).toEqual(["agent-0", "agent-0", "agent-1", "agent-1"]);
  lab.assertInvariants();
});

test("a gang for which there is not enough room does not start in part", () => {
  const lab = testCluster({ seed: 3, agents: 2, framework: gangs(5) });
  lab.advance("120s");
  expect(lab.tasks()).toEqual([]);
  lab.assertInvariants();
});

test("gangs go on over deaths of the leader, an agent and their framework, each whole when it starts", () => {
  const lab = testCluster({ seed: 4, agents: 3, framework: gangs(4), behave: () => ({ runsForMs: 20_000 }) });
  lab.advance("15s");
  expect(lab.running()).toHaveLength(4);
  lab.leader().kill();
  lab.advance("60s");
  lab.agent(1).crash();
  lab.framework().kill();
  lab.advance("300s");
  expect(lab.tasks().length).toBeGreaterThanOrEqual(12);
  lab.assertInvariants();
});

/** Each wants one task at a time, best effort. */
const singles = defineFramework({
  name: "singles",
  strategy: "claims",
  reconcile: ({ tasks, place }) =>
    place(20 - tasks.live().length, { name: "single", resources: { cpuMillis: 500, memoryMiB: 64 }, run }),
});

test("claims that are no gang fill what room there is", () => {
  const lab = testCluster({ seed: 5, agents: 2, framework: singles });
  lab.settle();
  expect(lab.running()).toHaveLength(16);
  lab.assertInvariants();
});

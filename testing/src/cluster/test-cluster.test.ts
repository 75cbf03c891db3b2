import { command, defineFramework, tcp } from "@muster/framework-sdk";
import { expect, test } from "vitest";
import { testCluster } from "./test-cluster.ts";

const pages = defineFramework({
  name: "pages",
  initialState: { want: 3 },
  reconcile({ state, tasks, place, kill }) {
    const live = tasks.live();
    const missing = state.want - live.length;
    if (missing < 0) return live.slice(missing).map(kill);
    return place(missing, {
      name: "page",
      resources: { cpuMillis: 100, memoryMiB: 32, ports: { http: "dynamic" } },
      run: command("busybox", ["httpd", "-fp", "$" + "{MUSTER_PORT_http}"]),
      check: tcp("http"),
    });
  },
});

test("what a framework wants runs, and runs again after an agent and the leader have died", () => {
  const lab = testCluster({ seed: 7, agents: 3, framework: pages });
  lab.advance("10s");
  expect(lab.running()).toHaveLength(3);
  lab.agent(0).crash();
  lab.leader().kill();
  lab.settle();
  expect(lab.running()).toHaveLength(3);
  lab.assertInvariants();
});

test("tasks outlive their agent's process and their framework's", () => {
  const lab = testCluster({ seed: 8, framework: pages });
  lab.advance("10s");
  const before = lab.running().map(({ taskId }) => taskId);
  for (const index of [0, 1, 2]) lab.agent(index).kill();
  lab.framework().kill();
  lab.settle();
  expect(lab.running().map(({ taskId }) => taskId)).toEqual(before);
  lab.assertInvariants();
});

test("a task that fails is tried again", () => {
  const lab = testCluster({ seed: 9, framework: pages, behave: () => ({ runsForMs: 2_000, exitCode: 1 }) });
  lab.advance("60s");
  expect(lab.tasks().length).toBeGreaterThan(6);
  lab.assertInvariants();
});

test("a time that is none is refused", () => {
  expect(() => testCluster({ framework: pages }).advance("soon")).toThrow(/is no time/);
});

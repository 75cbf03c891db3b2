import { DeploymentState, Health, TaskState } from "@muster/proto";
import { expect, test } from "vitest";
import { checkedPort, Lab, service, submission } from "../virtual/lab.ts";

const healthy = (lab: Lab) =>
  lab
    .tasks()
    .filter(
      ({ taskId, status }) =>
        taskId.startsWith("web.") &&
        status?.state === TaskState.TASK_RUNNING &&
        status.health === Health.HEALTH_HEALTHY,
    ).length;
const deployment = (lab: Lab) => lab.call("Jobs.Get", { name: "web" }).job?.deployment?.state;

/** As many instances as agents, each on one of its own. */
const apart = (minHealthyPercent: number, cpu = 100): string =>
  service("web", {
    count: 3,
    cpu,
    group: `constraint {
      distinct_hosts = true
    }
    update {
      min_healthy_percent = ${minHealthyPercent}
    }
    ${checkedPort}`,
  });

function started(text: string): Lab {
  const lab = new Lab({ agents: 3, frameworks: ["services"] }).start();
  lab.submit(text);
  lab.until(() => deployment(lab) === DeploymentState.DEPLOYMENT_STATE_SUCCESSFUL, 60_000, 1_000);
  return lab;
}

test("case 11: an update that may not stop an instance and finds no host for another is refused with numbers; with a lower minimum it stops first", () => {
  const lab = started(apart(100));
  const words = /3 of 3 instances must stay healthy \(min_healthy_percent = 100\), 3 are, and none of 3 agents/;
  expect(() => lab.submit(apart(100, 110))).toThrow(words);
  expect(() => lab.call("Jobs.Plan", { job: submission(apart(100, 110)).job })).toThrow(words);
  expect(lab.call("Jobs.History", { name: "web" }).versions).toHaveLength(1);
  lab.submit(apart(60, 110));
  for (let step = 0; step < 240 && deployment(lab) !== DeploymentState.DEPLOYMENT_STATE_SUCCESSFUL; step++) {
    lab.run(500);
    expect(healthy(lab)).toBeGreaterThanOrEqual(2);
    expect(lab.alive().length).toBeLessThanOrEqual(3);
  }
  expect(lab.tasks().filter(({ status }) => status?.state === TaskState.TASK_RUNNING)).toHaveLength(3);
  expect(deployment(lab)).toBe(DeploymentState.DEPLOYMENT_STATE_SUCCESSFUL);
});

test("a written minimum is kept also while the room for an update is taken by others, and the update goes on when they leave", () => {
  const text = (cpu: number): string =>
    service("web", { count: 2, cpu, group: `update {\n min_healthy_percent = 100\n }\n${checkedPort}` });
  const lab = started(text(1_000));
  lab.submit(service("big", { count: 12, cpu: 1_000 }));
  lab.run(30_000);
  lab.submit(text(1_100));
  for (let step = 0; step < 60; step++) {
    lab.run(1_000);
    expect(healthy(lab)).toBeGreaterThanOrEqual(2);
  }
  lab.call("Jobs.Stop", { name: "big", purge: true });
  for (let step = 0; step < 120 && deployment(lab) !== DeploymentState.DEPLOYMENT_STATE_SUCCESSFUL; step++) {
    lab.run(1_000);
    expect(healthy(lab)).toBeGreaterThanOrEqual(2);
  }
  expect(deployment(lab)).toBe(DeploymentState.DEPLOYMENT_STATE_SUCCESSFUL);
});

test("a job that came while two of three agents were away is spread over all when they are back, with all healthy throughout", () => {
  const lab = new Lab({ agents: 3, frameworks: ["services"] }).start();
  for (const { program } of lab.cluster.agents.slice(1)) program.crash("killed", 120_000);
  lab.run(20_000);
  lab.submit(service("web", { count: 3, group: `update {\n min_healthy_time = "2s"\n }\n${checkedPort}` }));
  lab.until(() => deployment(lab) === DeploymentState.DEPLOYMENT_STATE_SUCCESSFUL, 60_000, 1_000);
  const agents = () => new Set(lab.alive().map(({ agent }) => agent)).size;
  expect([agents(), lab.call("Jobs.Rebalance", { name: "web", dryRun: true }).moves]).toEqual([1, []]);
  lab.run(120_000);
  const { moves } = lab.call("Jobs.Rebalance", { name: "", dryRun: true });
  expect(moves.map(({ reason }) => reason)).toEqual([
    expect.stringMatching(/has 3 instances of the group, .* has 0$/),
    expect.stringMatching(/has 2 instances of the group, .* has 0$/),
  ]);
  lab.run(10_000);
  expect(agents()).toBe(1);
  lab.call("Jobs.Rebalance", { name: "web" });
  expect(lab.call("Jobs.Get", { name: "web" }).job?.message).toContain("2 instances go to other agents");
  for (let step = 0; step < 120; step++) {
    lab.run(500);
    expect(healthy(lab)).toBeGreaterThanOrEqual(3);
    expect(lab.alive().length).toBeLessThanOrEqual(5);
  }
  expect([agents(), lab.alive().length]).toEqual([3, 3]);
  expect(lab.call("Jobs.Rebalance", { name: "", dryRun: true }).moves).toEqual([]);
});

test("who dispatches a service, or rebalances what can't be, is told why, whichever framework answers first", () => {
  for (let seed = 1; seed <= 6; seed++) {
    const lab = new Lab({ seed, agents: 1 }).start();
    lab.submit(service("web"));
    expect(() => lab.call("Jobs.Dispatch", { name: "web" })).toThrow("can't be dispatched");
    expect(() => lab.call("Jobs.Rebalance", { name: "web" })).toThrow("its update goes on");
    expect(() => lab.call("Jobs.Dispatch", { name: "nobody" })).toThrow("no job");
  }
});

import { DeploymentState, Health, SteerAction, TaskState } from "@muster/proto";
import { expect, test } from "vitest";
import { checkedPort, Lab, service } from "../virtual/lab.ts";

const healthy = (lab: Lab) =>
  lab
    .tasks()
    .filter(({ status }) => status?.state === TaskState.TASK_RUNNING && status.health === Health.HEALTH_HEALTHY).length;

const version = (args: string[], update: string, cpu = 100): string =>
  service("web", {
    count: 4,
    args,
    cpu,
    group: `update {
      ${update}
    }
    ${checkedPort}`,
  });

const listens = ["serve", "listen"];
const cpus = (lab: Lab) =>
  lab
    .tasks()
    .filter(({ status }) => status?.state === TaskState.TASK_RUNNING)
    .map(({ resources }) => resources?.cpuMillis)
    .sort();
const state = (lab: Lab) => lab.call("Jobs.Get", { name: "web" }).job?.deployment?.state;

function started(update: string): Lab {
  const lab = new Lab({ frameworks: ["services"] }).start();
  lab.submit(version(listens, update));
  lab.until(() => state(lab) === DeploymentState.DEPLOYMENT_STATE_SUCCESSFUL, 60_000, 1_000);
  return lab;
}

/** Time passes, and at no moment fewer than wanted are healthy. */
function runServing(lab: Lab, forMs: number): void {
  for (let passedMs = 0; passedMs < forMs; passedMs += 500) {
    lab.run(500);
    expect(healthy(lab)).toBeGreaterThanOrEqual(4);
  }
}

test("canaries wait for promotion through deaths of the framework and of the master, and then the rest follows", () => {
  const lab = started("canary = 1\nmax_parallel = 1");
  lab.submit(version(listens, "canary = 1\nmax_parallel = 1", 110));
  expect(() => lab.call("Jobs.Promote", { name: "web", groups: [] })).toThrow("0 of 1 canaries");
  lab.until(() => state(lab) === DeploymentState.DEPLOYMENT_STATE_AWAITING_PROMOTION, 60_000, 500);
  lab.services?.crash();
  runServing(lab, 60_000);
  lab.cluster.master.program.crash();
  lab.run(120_000);
  expect(cpus(lab)).toEqual([100, 100, 100, 100, 110]);
  expect(() => lab.call("Jobs.Promote", { name: "web", groups: ["h"] })).toThrow('no group "h"');
  lab.call("Jobs.Promote", { name: "web", groups: [] });
  lab.until(() => state(lab) === DeploymentState.DEPLOYMENT_STATE_SUCCESSFUL, 240_000, 1_000);
  expect(cpus(lab)).toEqual([110, 110, 110, 110]);
  expect(() => lab.call("Jobs.Promote", { name: "web", groups: [] })).toThrow("no canaries");
});

test("canaries that are healthy are promoted by themselves where the job says so", () => {
  const update = "canary = 4\nmax_parallel = 4\nauto_promote = true";
  const lab = started(update);
  lab.submit(version(listens, update, 110));
  runServing(lab, 60_000);
  expect(cpus(lab)).toEqual([110, 110, 110, 110]);
  expect(state(lab)).toBe(DeploymentState.DEPLOYMENT_STATE_SUCCESSFUL);
});

test("canaries that never become healthy are taken back with auto_revert, and what serves notices nothing", () => {
  const update = "canary = 2\nauto_revert = true";
  const lab = started(update);
  lab.submit(version(["serve"], update, 110));
  runServing(lab, 660_000);
  expect(cpus(lab)).toEqual([100, 100, 100, 100]);
  const { deployments } = lab.call("Jobs.Deployments", { name: "web" });
  expect(deployments.map((one) => [one.version, one.state])).toEqual([
    [3, DeploymentState.DEPLOYMENT_STATE_SUCCESSFUL],
    [2, DeploymentState.DEPLOYMENT_STATE_FAILED],
    [1, DeploymentState.DEPLOYMENT_STATE_SUCCESSFUL],
  ]);
});

test("an update is paused half-way and goes on when it is resumed, also by the next framework", () => {
  const update = "max_parallel = 1";
  const lab = started(update);
  lab.submit(version(listens, update, 110));
  lab.until(() => cpus(lab).filter((cpu) => cpu === 110).length === 2, 120_000, 100);
  lab.call("Jobs.Steer", { name: "web", action: SteerAction.STEER_ACTION_PAUSE });
  lab.run(10_000);
  lab.services?.crash();
  lab.run(1_200_000);
  expect(cpus(lab)).toEqual([100, 100, 110, 110]);
  expect(state(lab)).toBe(DeploymentState.DEPLOYMENT_STATE_PAUSED);
  lab.call("Jobs.Steer", { name: "web", action: SteerAction.STEER_ACTION_RESUME });
  lab.until(() => state(lab) === DeploymentState.DEPLOYMENT_STATE_SUCCESSFUL, 240_000, 1_000);
  expect(cpus(lab)).toEqual([110, 110, 110, 110]);
});

test("an update that is cancelled goes back to the last version that was healthy; without one it only stops", () => {
  const update = "max_parallel = 2";
  const lab = started(update);
  lab.submit(version(listens, update, 110));
  lab.run(5_000);
  const { version: back } = lab.call("Jobs.Steer", { name: "web", action: SteerAction.STEER_ACTION_CANCEL });
  expect(back).toBe(3);
  lab.until(() => state(lab) === DeploymentState.DEPLOYMENT_STATE_SUCCESSFUL, 240_000, 1_000);
  expect(cpus(lab)).toEqual([100, 100, 100, 100]);
  expect(() => lab.call("Jobs.Steer", { name: "web", action: SteerAction.STEER_ACTION_PAUSE })).toThrow("is deployed");

  const first = new Lab({ frameworks: ["services"] }).start();
  first.submit(version(["serve"], update));
  first.run(5_000);
  first.call("Jobs.Steer", { name: "web", action: SteerAction.STEER_ACTION_CANCEL });
  expect(first.call("Jobs.Get", { name: "web" }).job?.deployment).toMatchObject({
    state: DeploymentState.DEPLOYMENT_STATE_CANCELLED,
    reason: "there is no earlier version that was healthy",
  });
});

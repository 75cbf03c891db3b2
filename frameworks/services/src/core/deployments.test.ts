import { AgentStanding, DeploymentState, Health } from "@muster/framework-sdk";
import { expect, test } from "vitest";
import { anAgent, checkedPort, jobText, restartFramework, SmallWorld } from "./core.test.support.ts";
import { awaitsPromotion, deploymentOf, describeDeployment } from "./deployments.ts";
import { jobStatus } from "./report.ts";

const { HEALTH_HEALTHY } = Health;
const update = (canary: number, more = "") => `update {
      max_parallel     = 1
      canary           = ${canary}
      min_healthy_time = "2s"
      ${more}
    }`;

/** Three healthy instances of version 1, and a version 2 with canaries. */
function inCanaries(canary: number, more = ""): SmallWorld {
  const world = new SmallWorld(anAgent("a"));
  world.run(jobText("web", { count: 3, group: update(canary, more) }));
  world.settle();
  world.startAll();
  world.advance(3_000, 500);
  expect(world.entry("web").current.record.stable).toBe(true);
  world.run(changedText(canary, more));
  world.settle();
  return world;
}

const changedText = (canary: number, more = "", count = 3): string =>
  jobText("web", { count, group: update(canary, more), task: 'user = "nobody"' });

test("canaries run beside what serves, and nothing ends before they are promoted, however long that takes", () => {
  const world = inCanaries(1);
  world.advance(3_600_000, 60_000, () => world.startAll());
  expect(world.versions("web")).toEqual([1, 1, 1, 2]);
  expect(world.killed).toEqual([]);
  const entry = world.entry("web");
  expect(awaitsPromotion(entry)).toBe(true);
  expect(entry.isOverdue).toBe(false);
  expect(describeDeployment(entry, entry.current)).toMatchObject({
    state: DeploymentState.DEPLOYMENT_STATE_AWAITING_PROMOTION,
    groups: [{ desired: 3, healthy: 1, outdated: 3, canaries: 1, promoted: false }],
  });
});

test("what is promoted goes on step by step until all is new", () => {
  const world = inCanaries(1);
  world.advance(10_000, 500, () => world.startAll());
  world.promote("web");
  world.advance(30_000, 500, () => {
    world.startAll();
    expect(world.versions("web").length).toBeGreaterThanOrEqual(2);
  });
  expect(world.versions("web")).toEqual([2, 2, 2]);
  const { record } = world.entry("web").current;
  expect(record.deployment).toMatchObject({ status: "successful", promoted: ["g"] });
});

test("with as many canaries as instances all of the old end at once when the new are promoted", () => {
  const world = inCanaries(3);
  world.advance(10_000, 500, () => world.startAll());
  expect(world.versions("web")).toEqual([1, 1, 1, 2, 2, 2]);
  world.promote("web");
  world.settle();
  expect(world.versions("web")).toEqual([2, 2, 2]);
});

test("what serves beside canaries and dies is made again as it was, after a delay of its own", () => {
  const world = inCanaries(1);
  world.advance(5_000, 500, () => world.startAll());
  for (let round = 0; round < 2; round++) {
    const last = world.live("web").find(({ index, version }) => index === 2 && version === 1);
    world.fail([...(last?.tasks.keys() ?? [])][0] ?? "");
    world.settle();
    expect(world.versions("web")).toEqual([1, 1, 2]);
    world.advance(2_500, 500, () => world.startAll());
    expect(world.versions("web")).toEqual([1, 1, 1, 2]);
  }
  expect(world.entry("web").restarts.get("g~serving/2")?.failureCount).toBe(2);
});

test("where canary and predecessor are both gone what served comes first", () => {
  const world = inCanaries(1);
  world.startAll();
  for (const { index, tasks } of world.live("web")) if (index === 0) for (const id of tasks.keys()) world.fail(id);
  const launchedCount = world.launched.length;
  world.advance(5_000, 500);
  const [first] = world.launched.slice(launchedCount);
  expect(world.state.byTask.get(first ?? "")).toMatchObject({ index: 0, version: 1 });
});

test("a canary that never becomes healthy makes the deployment overdue, and what served is untouched", () => {
  const world = inCanaries(1, 'healthy_deadline = "30s"\nprogress_deadline = "60s"');
  world.advance(70_000, 1_000);
  expect(world.entry("web").isOverdue).toBe(true);
  // The canary has failed at its own deadline, and another was tried.
  expect(world.killed.length).toBeGreaterThan(0);
  expect(world.versions("web").filter((version) => version === 1)).toEqual([1, 1, 1]);
  expect(world.entry("web").current.record.deployment?.status).toBe("failed");
});

test("an instance of an update that is not healthy in its time has failed, and is tried on another agent", () => {
  const world = new SmallWorld(anAgent("a"), anAgent("b"));
  world.run(jobText("web", { count: 1, group: `update {\n healthy_deadline = "30s"\n }` }));
  world.settle();
  world.startAll(HEALTH_HEALTHY);
  world.advance(11_000, 500);
  const next = (more: string): string =>
    jobText("web", { count: 1, group: `${checkedPort}\nupdate {\n healthy_deadline = "30s"\n ${more}\n }` });
  world.run(next(""));
  world.advance(29_000, 500, () => world.startAll(Health.HEALTH_UNHEALTHY));
  const [first] = world.live("web").filter(({ version }) => version === 2);
  world.advance(4_000, 500, () => world.startAll(Health.HEALTH_UNHEALTHY));
  const [second] = world.live("web").filter(({ version }) => version === 2);
  expect(second?.id).not.toBe(first?.id);
  expect(second?.agentId).not.toBe(first?.agentId);
  const [restarts] = world.entry("web").restarts.values();
  expect(restarts).toMatchObject({ failureCount: 1, lastEnd: "not healthy within 30 s (healthy_deadline)" });
  expect(world.entry("web").isOverdue).toBe(false);
});

test("with a progress deadline of 0 the first instance that fails fails the update", () => {
  const world = new SmallWorld(anAgent("a"));
  const text = (task: string): string =>
    jobText("web", { count: 2, task, group: update(0, 'progress_deadline = "0s"') });
  world.run(text(""));
  world.settle();
  world.startAll();
  world.advance(3_000, 500);
  world.run(text('user = "nobody"'));
  world.advance(1_000, 500);
  expect(world.entry("web").isOverdue).toBe(false);
  const fresh = world.live("web").find(({ version }) => version === 2);
  for (const id of fresh?.tasks.keys() ?? []) world.fail(id);
  world.settle();
  expect(world.entry("web").isOverdue).toBe(true);
  expect(world.entry("web").current.record.deployment).toMatchObject({
    status: "failed",
    reason: "an instance has failed",
  });
});

test("a version that comes before the first one was healthy has canaries beside the instances that are there, and none where there are none", () => {
  const world = new SmallWorld(anAgent("a"));
  world.run(jobText("web", { count: 3, group: update(1) }));
  world.settle();
  world.run(changedText(1));
  world.advance(60_000, 500, () => world.startAll());
  expect(world.versions("web")).toEqual([1, 1, 1, 2]);
  // Another one stands beside the same.
  world.run(jobText("web", { count: 3, group: update(1), task: 'user = "daemon"' }));
  world.advance(60_000, 500, () => world.startAll());
  expect(world.versions("web")).toEqual([1, 1, 1, 3]);
  restartFramework(world, "web");
  expect(world.entry("web").current.record.triesFrom).toBe(1);
  const empty = new SmallWorld(anAgent("a"));
  empty.offering = () => false;
  empty.run(jobText("web", { count: 3, group: update(1) }));
  empty.settle();
  empty.run(changedText(1));
  empty.offering = () => true;
  empty.advance(10_000, 500, () => empty.startAll());
  expect(empty.versions("web")).toEqual([2, 2, 2]);
});

test("a change of the count alone needs no second promotion, and another new version needs its own", () => {
  const world = inCanaries(1);
  world.advance(5_000, 500, () => world.startAll());
  world.promote("web");
  world.run(changedText(1, "", 4), "scale");
  expect(world.entry("web").current.record.deployment?.promoted).toEqual(["g"]);
  expect(world.entry("web").history[0]?.record.deployment).toMatchObject({
    status: "cancelled",
    reason: "overtaken by version 3",
  });
  world.run(jobText("web", { count: 4, group: update(1), task: 'user = "daemon"' }));
  world.advance(60_000, 500, () => world.startAll());
  expect(world.versions("web").filter((version) => version === 4)).toHaveLength(1);
  // What serves is what was healthy as a whole, also where the count has grown since.
  expect(world.versions("web").filter((version) => version === 1)).toHaveLength(4);
});

test("a first version and one that goes back have no canaries", () => {
  const world = new SmallWorld(anAgent("a"));
  world.run(jobText("web", { count: 2, group: update(1) }));
  world.settle();
  expect(world.live("web")).toHaveLength(2);
  const back = inCanaries(1);
  back.run(jobText("web", { count: 3, group: update(1) }), "revert");
  back.advance(10_000, 500, () => back.startAll(HEALTH_HEALTHY));
  expect(back.versions("web")).toEqual([1, 1, 1]);
});

test("a deployment that is paused takes no step, still replaces what ends, and says so", () => {
  const world = new SmallWorld(anAgent("a"));
  world.run(jobText("web", { count: 3, group: update(0) }));
  world.settle();
  world.startAll();
  world.advance(3_000, 500);
  world.run(changedText(0));
  const { record } = world.entry("web").current;
  record.deployment = { ...deploymentOf(record), status: "paused" };
  world.advance(3_600_000, 60_000, () => world.startAll());
  expect(world.versions("web")).toEqual([1, 1, 1]);
  expect(world.entry("web").isOverdue).toBe(false);
  world.fail("web.g.1.1-2");
  world.settle();
  world.startAll();
  expect(world.versions("web")).toEqual([1, 1, 2]);
  const around = { agents: world.agents, isKnown: true, random: undefined as never };
  expect(jobStatus(world.state, world.entry("web"), around, world.now).message).toBe("its deployment is paused");
  record.deployment = { ...record.deployment, status: "running" };
  world.advance(30_000, 500, () => world.startAll());
  expect(world.versions("web")).toEqual([2, 2, 2]);
});

test("what was promoted is so after a restart of the framework", () => {
  const world = inCanaries(1);
  world.promote("web");
  restartFramework(world, "web");
  expect(deploymentOf(world.entry("web").current.record).promoted).toEqual(["g"]);
});

test("what serves beside canaries moves away from an agent that is drained, and a successor is settled first", () => {
  const world = inCanaries(1);
  world.advance(5_000, 500, () => world.startAll());
  world.agents.set("a", { ...anAgent("a"), standing: AgentStanding.AGENT_STANDING_DRAINING });
  world.agents.set("b", anAgent("b"));
  world.advance(60_000, 500, () => {
    const settledCount = world.live("web").filter(({ runningSinceMs }) => runningSinceMs !== undefined).length;
    expect(settledCount).toBeGreaterThanOrEqual(3);
    world.startAll();
  });
  expect(world.live("web").map(({ agentId }) => agentId)).toEqual(Array(4).fill("b"));
  expect(world.versions("web")).toEqual([1, 1, 1, 2]);
});

test("a deployment that is paused keeps no agent from being drained", () => {
  const world = new SmallWorld(anAgent("a"));
  world.run(jobText("web", { count: 2, group: update(0) }));
  world.settle();
  world.startAll();
  world.advance(3_000, 500);
  world.run(jobText("web", { count: 2, group: update(0), task: 'user = "nobody"' }));
  const { record } = world.entry("web").current;
  record.deployment = { ...deploymentOf(record), status: "paused" };
  world.agents.set("a", { ...anAgent("a"), standing: AgentStanding.AGENT_STANDING_DRAINING });
  world.agents.set("b", anAgent("b"));
  world.advance(60_000, 500, () => world.startAll());
  expect(world.live("web").map(({ agentId }) => agentId)).toEqual(["b", "b"]);
});

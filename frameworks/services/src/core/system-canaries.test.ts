import { DeploymentState } from "@muster/framework-sdk";
import { expect, test } from "vitest";
import { anAgent, jobText, SmallWorld } from "./core.test.support.ts";
import { awaitsPromotion, describeDeployment } from "./deployments.ts";

const text = (percent: number, task = "", maxParallel = 5): string =>
  jobText("logs", {
    head: 'type = "system"',
    group: `update {
      max_parallel     = ${maxParallel}
      canary           = ${percent}
      min_healthy_time = "2s"
    }`,
    task,
  });

const changed = 'user = "nobody"';

/** Healthy on four agents in version 1, and a version 2 with canaries. */
function inCanaries(percent: number, maxParallel = 5): SmallWorld {
  const world = new SmallWorld(...["a", "b", "c", "d"].map((name) => anAgent(name)));
  world.run(text(percent, "", maxParallel));
  world.settle();
  world.startAll();
  world.advance(3_000, 500);
  expect(world.entry("logs").current.record.stable).toBe(true);
  world.run(text(percent, changed, maxParallel));
  world.settle();
  return world;
}

test("canaries of a system job take the place of what runs on so many agents of a hundred, and wait there", () => {
  const world = inCanaries(30);
  world.advance(600_000, 10_000, () => world.startAll());
  expect(world.versions("logs")).toEqual([1, 1, 2, 2]);
  expect(new Set(world.live("logs").map(({ agentId }) => agentId)).size).toBe(4);
  const entry = world.entry("logs");
  expect(awaitsPromotion(entry)).toBe(true);
  expect(describeDeployment(entry, entry.current)).toMatchObject({
    state: DeploymentState.DEPLOYMENT_STATE_AWAITING_PROMOTION,
    groups: [{ desired: 4, healthy: 2, outdated: 2, canaries: 2 }],
  });
  world.promote("logs");
  world.advance(30_000, 500, () => world.startAll());
  expect(world.versions("logs")).toEqual([2, 2, 2, 2]);
  expect(entry.current.record.stable).toBe(true);
});

test("no more canaries of a system job are tried than go at once, and with 100 all that may", () => {
  expect(inCanaries(100, 1).versions("logs")).toEqual([1, 1, 1, 2]);
  const all = inCanaries(100);
  expect(all.versions("logs")).toEqual([2, 2, 2, 2]);
  all.advance(5_000, 500, () => all.startAll());
  expect(awaitsPromotion(all.entry("logs"))).toBe(true);
});

test("an agent that comes while canaries are tried has what serves, and what dies is made again as it was", () => {
  const world = inCanaries(30);
  world.advance(5_000, 500, () => world.startAll());
  world.agents.set("e", anAgent("e"));
  const last = world.live("logs").find(({ version }) => version === 1);
  world.fail([...(last?.tasks.keys() ?? [])][0] ?? "");
  world.advance(10_000, 500, () => world.startAll());
  expect(world.versions("logs")).toEqual([1, 1, 1, 2, 2]);
  expect(world.live("logs").find(({ agentId }) => agentId === "e")?.version).toBe(1);
});

test("where a canary of a system job was, it is tried again, and the others are left alone", () => {
  const world = inCanaries(20);
  const [canary] = world.live("logs").filter(({ version }) => version === 2);
  const others = world.live("logs").filter(({ version }) => version === 1);
  world.startAll();
  world.fail([...(canary?.tasks.keys() ?? [])][0] ?? "");
  world.advance(30_000, 500, () => world.startAll());
  expect(world.live("logs").filter(({ version }) => version === 1)).toEqual(others);
  expect(world.live("logs").find(({ version }) => version === 2)?.agentId).toBe(canary?.agentId);
});

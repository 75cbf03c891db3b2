import { AgentState, StatusReason, TaskState } from "@muster/framework-sdk";
import { expect, test } from "vitest";
import { anAgent, jobText, restartFramework, SmallWorld } from "./core.test.support.ts";

const sticky = "ephemeral_disk {\nsticky = true\nsize = 1\n}";
const job = (env = "", group = sticky, count = 1) => jobText("web", { count, group, task: env });

function withDisk(name: string) {
  const agent = anAgent(name);
  const total = { ...agent.total, diskMiB: 1_000 };
  return { ...agent, total, free: total };
}

function started(...names: string[]): SmallWorld {
  const world = new SmallWorld(...names.map(withDisk));
  world.run(job());
  settle(world);
  return world;
}

function settle(world: SmallWorld, ms = 15_000): void {
  world.advance(ms, 100, () => world.startAll());
}

const only = (world: SmallWorld) => {
  const [instance, more] = world.live("web");
  if (!instance || more) throw new Error("there is one instance");
  return instance;
};

/** The launch whose files each launch takes over, in their order. */
const heirs = (world: SmallWorld) => world.groups.map(({ predecessorLaunchId = "" }) => predecessorLaunchId);

test("an update ends an instance, starts the next on its agent, and names the one whose files it has", () => {
  const world = started("a", "b", "c");
  const first = only(world);
  world.run(job("env {\nV = 2\n}"));
  settle(world);
  const second = only(world);
  expect(second.version).toBe(2);
  expect(second.agentId).toBe(first.agentId);
  expect(heirs(world)).toEqual(["", first.launchId]);
  world.fail([...second.tasks.keys()][0] ?? "");
  settle(world);
  expect(only(world).agentId).toBe(first.agentId);
  expect(heirs(world)).toEqual(["", first.launchId, second.launchId]);
});

test("its successor is not launched before the one whose files it takes over has ended", () => {
  const world = started("a", "b");
  world.endsKilled = false;
  world.run(job("env {\nV = 2\n}"));
  settle(world, 60_000);
  expect(world.launched).toHaveLength(1);
  expect(world.killed).toEqual([...new Set(world.killed)]);
});

test("room where its files are is waited for for a while, then another agent is taken, where it has none", () => {
  const world = started("a", "b");
  const first = only(world);
  world.offering = (agentId) => agentId !== first.agentId;
  world.fail([...first.tasks.keys()][0] ?? "");
  world.advance(4_000);
  expect(world.live("web")).toHaveLength(0);
  settle(world);
  expect(only(world).agentId).not.toBe(first.agentId);
  expect(heirs(world)).toEqual(["", ""]);
});

test("an agent that is out of reach is not waited for", () => {
  const world = started("a", "b");
  const first = only(world);
  const agent = world.agents.get(first.agentId);
  if (agent) world.agents.set(first.agentId, { ...agent, state: AgentState.AGENT_STATE_UNREACHABLE });
  world.tell([...first.tasks.keys()][0] ?? "", TaskState.TASK_GONE, { reason: StatusReason.REASON_AGENT_GONE });
  world.advance(200);
  expect(only(world).agentId).not.toBe(first.agentId);
});

test("a launch that is dropped has taken nothing: the next names the same predecessor", () => {
  const world = started("a");
  const first = only(world);
  world.fail([...first.tasks.keys()][0] ?? "");
  world.advance(2_000);
  const [dropped = ""] = only(world).tasks.keys();
  world.tell(dropped, TaskState.TASK_DROPPED, { reason: StatusReason.REASON_PORT_IN_USE });
  settle(world);
  expect(heirs(world)).toEqual(["", first.launchId, first.launchId]);
});

test("a restarted framework knows whose files the next instance has; a stopped job begins anew", () => {
  const world = started("a", "b");
  const first = only(world);
  world.offering = () => false;
  world.fail([...first.tasks.keys()][0] ?? "");
  world.advance(1_000);
  restartFramework(world, "web");
  world.state.isReconciled = true;
  world.offering = () => true;
  settle(world);
  expect(heirs(world)).toEqual(["", first.launchId]);
  world.stop("web");
  settle(world);
  world.run(job());
  settle(world);
  expect(heirs(world)).toEqual(["", first.launchId, ""]);
});

test("without sticky nobody takes over anything", () => {
  const world = new SmallWorld(withDisk("a"));
  world.run(job("", ""));
  settle(world);
  world.run(job("env {\nV = 2\n}", ""));
  settle(world);
  expect(heirs(world)).toEqual(["", ""]);
});

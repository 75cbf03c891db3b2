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

/** The instance ends, and the framework starts anew before there is room for the next one. */
function restartWithoutRoom(world: SmallWorld): void {
  world.offering = () => false;
  world.fail([...only(world).tasks.keys()][0] ?? "");
  world.advance(1_000);
  restartFramework(world, "web");
  world.state.isReconciled = true;
}

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
  restartWithoutRoom(world);
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

const migrating = "ephemeral_disk {\nsticky = true\nmigrate = true\nsize = 1\n}";

/** What each launch was told of the files of the one before it, and of its own. */
const told = (world: SmallWorld) =>
  world.groups.map(({ predecessorLaunchId, predecessorAddress, predecessorToken, filesToken }) => ({
    ...{ predecessorLaunchId, predecessorAddress, predecessorToken, filesToken },
  }));

function migrated(leave: (world: SmallWorld, agentId: string) => void): SmallWorld {
  const world = new SmallWorld(...["a", "b"].map(withDisk));
  world.run(job("", migrating));
  settle(world);
  const first = only(world);
  leave(world, first.agentId);
  world.fail([...first.tasks.keys()][0] ?? "");
  settle(world);
  expect(only(world).agentId).not.toBe(first.agentId);
  return world;
}

test("with migrate the next instance is told where on another agent its files are, and by what they are given", () => {
  let home = "";
  const world = migrated((one, agentId) => {
    home = agentId;
    one.offering = (id) => id !== agentId;
  });
  const [first, second] = told(world);
  expect(first?.filesToken).toMatch(/^[0-9a-z]{32}$/);
  expect(first?.predecessorLaunchId).toBeUndefined();
  expect(second).toMatchObject({
    predecessorLaunchId: world.groups[0]?.launchId,
    predecessorAddress: `${home}:5051`,
    predecessorToken: first?.filesToken,
  });
});

test("a restarted framework still knows by what files are given; on the same agent nobody is asked for them", () => {
  const world = new SmallWorld(...["a", "b"].map(withDisk));
  world.run(job("", migrating));
  settle(world);
  const first = only(world);
  restartWithoutRoom(world);
  world.offering = (id) => id !== first.agentId;
  settle(world);
  const [, second] = told(world);
  expect(second).toMatchObject({ predecessorLaunchId: first.launchId, predecessorAddress: `${first.agentId}:5051` });
  expect(second?.predecessorToken).toBe(told(world)[0]?.filesToken);
  world.offering = () => true;
  world.fail([...only(world).tasks.keys()][0] ?? "");
  settle(world);
  const third = told(world)[2];
  expect(third?.predecessorLaunchId).toBe(world.groups[1]?.launchId);
  expect(third?.predecessorAddress).toBeUndefined();
});

test("of an agent that is known no more its successor's agent is asked for the launch alone, and says that it has nothing", () => {
  const world = migrated((one, agentId) => one.agents.delete(agentId));
  const second = told(world)[1];
  expect(second?.predecessorLaunchId).toBe(world.groups[0]?.launchId);
  expect(second?.predecessorAddress).toBeUndefined();
});

test("each version has a secret of its own; versions without migrate have none", () => {
  const world = new SmallWorld(...["a", "b"].map(withDisk));
  world.run(job("", migrating));
  settle(world);
  world.run(job("env {\nV = 2\n}", migrating));
  settle(world);
  world.run(job("env {\nV = 3\n}"));
  settle(world);
  const tokens = told(world).map(({ filesToken }) => filesToken);
  expect(tokens).toHaveLength(3);
  expect(tokens[0]).not.toBe(tokens[1]);
  expect(tokens[2]).toBeUndefined();
});

import { AgentStanding, AgentState, StatusReason, seededRandom, TaskState } from "@muster/framework-sdk";
import { expect, test } from "vitest";
import { anAgent, jobText, restartFramework, SmallWorld } from "./core.test.support.ts";
import { jobStatus } from "./report.ts";
import { surplusVolumes, wipedMax } from "./volume-changes.ts";
import { releaseVolumes } from "./volumes.ts";

const hourMs = 3_600_000;
const volume = 'volume "data" {\ntype = "muster"\nsize = 100\n}';
const mount = 'volume_mount {\nvolume = "data"\ndestination = "/data"\n}';
const db = (count: number, task = "") => jobText("db", { count, group: volume, task: `${mount}\n${task}` });

/** Agents with disk. */
function aWorld(...names: string[]): SmallWorld {
  const world = new SmallWorld();
  for (const name of names) {
    const agent = anAgent(name);
    const total = { ...agent.total, diskMiB: 1_000 };
    world.agents.set(name, { ...agent, total, free: total });
  }
  return world;
}

function started(count: number, ...names: string[]): SmallWorld {
  const world = aWorld(...names);
  world.run(db(count));
  world.advance(500);
  world.startAll();
  world.advance(20_000);
  return world;
}

const statusOf = (world: SmallWorld) =>
  jobStatus(
    world.state,
    world.entry("db"),
    { agents: world.agents, isKnown: true, random: seededRandom("explain") },
    world.now,
  );

/** Agent and volume of each place. */
const homes = (world: SmallWorld) =>
  Object.fromEntries(
    [...world.entry("db").volumes].map(([key, [one]]) => [key, `${one?.record.agentId} ${one?.record.volumeId}`]),
  );

const living = (world: SmallWorld) =>
  Object.fromEntries(world.live("db").map(({ group, index, agentId }) => [`${group}/${index}`, agentId]));

function setState(world: SmallWorld, name: string, state: AgentState): void {
  const agent = world.agents.get(name);
  if (agent) world.agents.set(name, { ...agent, state });
}

function setStanding(world: SmallWorld, name: string, standing: AgentStanding): void {
  const agent = world.agents.get(name);
  if (agent) world.agents.set(name, { ...agent, standing });
}

test("each instance has a volume of its own, reserved for the job's role, before it starts", () => {
  const world = started(3, "a", "b", "c");
  expect(world.live("db")).toHaveLength(3);
  expect(new Set(Object.values(living(world)))).toEqual(new Set(["a", "b", "c"]));
  expect([...world.disks.byId.values()].map(({ diskMiB, user }) => [diskMiB, user !== undefined])).toEqual(
    Array.from({ length: 3 }, () => [100, true]),
  );
  expect(statusOf(world).volumes).toMatchObject([
    { instance: "db.g.0", name: "data", diskMiB: 100 },
    { instance: "db.g.1", name: "data", diskMiB: 100 },
    { instance: "db.g.2", name: "data", diskMiB: 100 },
  ]);
});

test.each([
  ["its tasks are gone", TaskState.TASK_GONE],
  ["its tasks are out of reach", TaskState.TASK_UNREACHABLE],
])("case 35: an agent with a volume is gone for a day and %s: no replacement, and the volume is named", (_, state) => {
  const world = started(1, "a", "b");
  const [home = ""] = Object.values(living(world));
  const [instance] = world.live("db");
  const launchCount = world.launched.length;
  setState(world, home, AgentState.AGENT_STATE_UNREACHABLE);
  const taskId = [...(instance?.tasks.keys() ?? [])][0] ?? "";
  world.tell(taskId, state, { reason: StatusReason.REASON_AGENT_GONE });
  world.advance(24 * hourMs, 60_000);
  expect(world.launched).toHaveLength(launchCount);
  const [kept] = statusOf(world).volumes;
  expect(statusOf(world).message).toContain(
    `db.g.0 waits for its volume "data" (${kept?.volumeId}) on agent ${home}, which is out of reach`,
  );
  // It comes back with what it had.
  setState(world, home, AgentState.AGENT_STATE_REGISTERED);
  if (state === TaskState.TASK_UNREACHABLE) world.tell(taskId, TaskState.TASK_RUNNING);
  world.disks.leave(state === TaskState.TASK_GONE ? (instance?.launchId ?? "") : "");
  world.advance(10_000);
  world.startAll();
  expect(living(world)).toEqual({ "g/0": home });
  expect(statusOf(world).message).toBe("");
});

test("case 36: from 3 to 2 to 3 the same volume is used again; wiped, nothing of it is left", () => {
  const world = started(3, "a", "b", "c");
  const before = homes(world);
  world.run(db(2), "scale");
  world.advance(20_000);
  expect(world.live("db")).toHaveLength(2);
  expect(homes(world)).toEqual(before);
  world.run(db(3), "scale");
  world.advance(1_000);
  world.startAll();
  world.advance(20_000);
  expect(world.live("db")).toHaveLength(3);
  expect(homes(world)).toEqual(before);
  expect(world.disks.byId.size).toBe(3);

  world.run(db(2), "scale");
  world.advance(20_000);
  const entry = world.entry("db");
  const surplus = surplusVolumes(entry, entry.current.job, "g", world.agents);
  expect(surplus).toHaveLength(1);
  releaseVolumes(world.state, entry, surplus, world.now, true);
  world.advance(20_000);
  expect(world.disks.byId.size).toBe(2);
  expect(world.state.released.size).toBe(0);
  expect(wipedMax).toBeGreaterThan(1);
});

test("a stop keeps volumes, and a run after it has them again; a stop that wipes leaves none", () => {
  const world = started(2, "a", "b");
  const before = homes(world);
  world.stop("db");
  world.advance(20_000);
  expect(world.live("db")).toHaveLength(0);
  world.run(db(2));
  world.advance(1_000);
  world.startAll();
  expect(homes(world)).toEqual(before);
  expect(living(world)).toEqual(Object.fromEntries(Object.entries(before).map(([key, text]) => [key, text[0]])));
  world.stop("db", true);
  world.run(db(2));
  world.advance(20_000);
  world.startAll();
  world.advance(20_000);
  const ids = (all: Record<string, string>) => Object.values(all).map((text) => text.slice(2));
  expect(ids(homes(world)).filter((id) => ids(before).includes(id))).toEqual([]);
  expect(world.disks.byId.size).toBe(2);
  expect(world.live("db")).toHaveLength(2);
});

test("an update ends what is there before its successor starts on the same volume, and one after another", () => {
  const world = started(3, "a", "b", "c");
  const before = homes(world);
  world.run(db(3, "env {\nVERSION = 2\n}"));
  let most = 0;
  world.advance(120_000, 500, () => {
    most = Math.max(most, 3 - world.live("db").filter(({ healthySinceMs }) => healthySinceMs !== undefined).length);
    world.startAll();
  });
  expect(world.live("db").every(({ version }) => version === 2)).toBe(true);
  expect(most).toBe(1);
  expect(homes(world)).toEqual(before);
});

test("what is on an agent that is drained ends, waits for it beside what runs elsewhere, and comes back to its volume", () => {
  const world = started(3, "a", "b", "c");
  const before = homes(world);
  setStanding(world, "a", AgentStanding.AGENT_STANDING_DRAINING);
  world.advance(60_000);
  expect(Object.values(living(world)).sort()).toEqual(["b", "c"]);
  expect(statusOf(world).message).toMatch(
    /waits for its volume "data" \(.*\) on agent a, which is out of reach or takes nothing/,
  );
  setStanding(world, "a", AgentStanding.AGENT_STANDING_ACTIVE);
  world.advance(1_000);
  world.startAll();
  expect(Object.values(living(world)).sort()).toEqual(["a", "b", "c"]);
  expect(homes(world)).toEqual(before);
});

test("a restarted framework has the volumes from its state", () => {
  const world = started(2, "a", "b");
  const before = homes(world);
  const living = [...world.state.byTask].map(([taskId, { launchId, agentId }]) => ({ taskId, launchId, agentId }));
  restartFramework(world, "db");
  for (const { taskId, launchId, agentId } of living) world.tell(taskId, TaskState.TASK_RUNNING, { launchId, agentId });
  world.state.isReconciled = true;
  world.advance(20_000);
  expect(homes(world)).toEqual(before);
  const [first] = living;
  world.fail(first?.taskId ?? "");
  world.advance(20_000);
  world.startAll();
  expect(world.live("db")).toHaveLength(2);
  expect(homes(world)).toEqual(before);
});

test("a place whose launch is dropped before its volume was ever used may go to another agent, and leaves nothing", () => {
  const world = aWorld("a", "b");
  world.offering = (agentId) => agentId === "a";
  world.run(db(1));
  world.advance(300);
  const [taskId = ""] = world.launched;
  world.tell(taskId, TaskState.TASK_DROPPED, { reason: StatusReason.REASON_PORT_IN_USE });
  expect(world.disks.byId.size).toBe(1);
  world.offering = (agentId) => agentId === "b";
  world.advance(15_000);
  world.startAll();
  expect(living(world)).toEqual({ "g/0": "b" });
  world.offering = () => true;
  world.advance(15_000);
  expect([...world.disks.byId.values()].map(({ agentId }) => agentId)).toEqual(["b"]);
  expect(world.state.released.size).toBe(0);
});

test("a volume that an operator has removed is made anew", () => {
  const world = started(1, "a");
  const [volumeId = ""] = world.disks.byId.keys();
  world.stop("db");
  world.advance(1_000);
  world.disks.change("a", [{ operationId: "", kind: "destroyVolume", destroyVolume: { volumeId } }]);
  world.run(db(1));
  world.advance(20_000);
  world.startAll();
  expect([...world.disks.byId]).toMatchObject([[volumeId, { hasVolume: true }]]);
  expect(world.live("db")).toHaveLength(1);
});

test("what is reserved is no room for a volume", () => {
  const world = aWorld("a");
  world.disks.byId.set("resv-1", { agentId: "a", diskMiB: 950, hasVolume: false, user: undefined });
  world.run(db(1));
  world.advance(20_000);
  expect(world.launched).toEqual([]);
});

import { resources } from "@muster/foundation";
import { type Claim, StatusReason, type TaskInfo, TaskState } from "@muster/proto";
import { afterEach, beforeEach, expect, test } from "vitest";
import {
  type AgentClient,
  aDemand,
  aGroup,
  aTask,
  Cluster,
  type FrameworkClient,
  type FrameworkSettings,
  quiet,
} from "./harness.ts";

let cluster: Cluster;
beforeEach(async () => {
  cluster = await Cluster.start(quiet);
});
afterEach(() => cluster.close());

async function promise(role: string, cpuMillis: number, memoryMiB: number): Promise<void> {
  const guarantee = resources({ cpuMillis, memoryMiB });
  await cluster.call("Operator.SetQuota", { role, guarantee, limit: null, limitedToNone: [], force: true });
}

/** A framework that fills an agent with eight tasks, which then run. */
async function fill(
  agent: AgentClient,
  name: string,
  role: string,
  more: (index: number) => Partial<TaskInfo>,
): Promise<FrameworkClient> {
  const framework = await cluster.framework(name, { roles: [role] });
  const groups = Array.from({ length: 8 }, (_, index) => aGroup([aTask(`${name}-${index}`, more(index))]));
  let offer = await framework.offer();
  while (offer.agentId !== agent.id) offer = await framework.offer();
  await framework.accept([offer], groups, 1e9);
  for (let index = 0; index < 8; index++) await agent.report(`${name}-${index}`, TaskState.TASK_RUNNING, 1);
  return framework;
}

const idle = (settings: FrameworkSettings = {}): Promise<FrameworkClient> =>
  cluster.framework("web", { roles: ["web"], suppressedRoles: ["web"], ...settings });

const killed = (agent: AgentClient): string[] => agent.all("kills").map(({ taskId }) => taskId);

async function end(agent: AgentClient, taskId: string): Promise<void> {
  await agent.report(taskId, TaskState.TASK_KILLED, 2, { reason: StatusReason.REASON_PREEMPTED });
}

async function recordOf(taskId: string) {
  const { tasks } = await cluster.call("Tasks.List", {});
  return tasks.find((task) => task.taskId === taskId);
}

test("a role that has less than it is promised is made room for, which nobody else is offered", async () => {
  const agent = await cluster.agent("a-1");
  const batch = await fill(agent, "batch", "ops", () => ({ priority: 30 }));
  await promise("web", 1_000, 512);
  const web = await idle();
  await web.say({ demands: [aDemand(2, { priority: 70 })] });
  await cluster.advance(900);
  expect(killed(agent)).toEqual([]);
  await cluster.advance(1_200);
  expect(agent.all("kills")).toHaveLength(2);
  expect(agent.all("kills")[0]).toMatchObject({
    reason: StatusReason.REASON_PREEMPTED,
    message: "preempted for web in role web, priority 70 (production); its own priority is 30",
  });
  const [first, second] = killed(agent) as [string, string];
  expect(await recordOf(first)).toMatchObject({ priority: 30, preemptedForRole: "web", preemptedForPriority: 70 });
  expect(web.offersLeft).toBe(0);
  await end(agent, first);
  expect((await web.offer()).resources).toMatchObject({ cpuMillis: 500, memoryMiB: 256 });
  await end(agent, second);
  const offer = await web.offer();
  await web.accept([offer], [aGroup([aTask("w-1", { priority: 70 })])]);
  expect(agent.launchOf("w-1")).toBeDefined();
  expect(batch.offersLeft).toBe(0);
  // Enough is enough: the other six stay.
  await cluster.advance(120_000);
  expect(agent.all("kills")).toHaveLength(2);
});

test.each([
  ["a role that nothing is promised to", 0, { priority: 100 }, () => ({ priority: 1 })],
  ["less important work", 4_000, { priority: 30 }, () => ({ priority: 70 })],
  ["what is more important by less than the distance", 4_000, { priority: 59 }, () => ({ priority: 50 })],
  ["what is as important as what was never said of", 4_000, { priority: 50 }, () => ({})],
  ["a budget of none", 4_000, { priority: 70 }, () => ({ priority: 30, preemptedMax: 0 })],
  ["a demand that nobody waits with", 4_000, { priority: 70, count: 0 }, () => ({ priority: 30 })],
] as const)("nobody is ended for %s", async (_, cpuMillis, demand, victim) => {
  const agent = await cluster.agent("a-1");
  await fill(agent, "batch", "ops", victim);
  if (cpuMillis > 0) await promise("web", cpuMillis, cpuMillis);
  const web = await idle();
  await web.say({ demands: [aDemand(2, demand)] });
  await cluster.advance(180_000);
  expect(killed(agent)).toEqual([]);
});

test("where nobody says how important anything is, a guarantee alone decides", async () => {
  const agent = await cluster.agent("a-1");
  await fill(agent, "batch", "ops", () => ({}));
  await promise("web", 500, 256);
  const web = await idle();
  await web.say({ demands: [aDemand(3)] });
  await cluster.advance(10_000);
  expect(killed(agent)).toHaveLength(1);
});

test("the least important go first, and of a group all with one order", async () => {
  const agent = await cluster.agent("a-1");
  const batch = await cluster.framework("batch", { roles: ["ops"] });
  const pair = aGroup([aTask("p-1", { priority: 20 }), aTask("p-2")]);
  const others = [40, 35, 30, 25, 45, 55].map((priority) => aGroup([aTask(`t-${priority}`, { priority })]));
  await batch.accept([await batch.offer()], [pair, ...others]);
  await promise("web", 4_000, 4_000);
  const web = await idle();
  await web.say({ demands: [aDemand(3, { priority: 60 })] });
  await cluster.advance(3_000);
  // What the pair gives back is enough for two; the third is the next in importance.
  expect(killed(agent).sort()).toEqual(["p-1", "t-25"]);
  expect((await recordOf("p-2"))?.preemptedForRole).toBe("web");
});

test("of a budget no more are missing at once than it says, until their successors run", async () => {
  const agent = await cluster.agent("a-1");
  const budget = { priority: 30, preemptionBudget: "jobs/web", preemptedMax: 2 };
  const batch = await fill(agent, "batch", "ops", () => budget);
  await promise("web", 4_000, 4_000);
  const web = await idle();
  await web.say({ demands: [aDemand(5, { priority: 70 })] });
  await cluster.advance(60_000);
  expect(killed(agent)).toHaveLength(2);
  for (const taskId of killed(agent)) await end(agent, taskId);
  await web.accept([await web.offer()], [aGroup([aTask("w-1", { priority: 70 })])]);
  await cluster.advance(60_000);
  expect(killed(agent)).toHaveLength(2);
  // A successor runs on another agent: one more may go.
  await web.say({ demands: [aDemand(0)] });
  await promise("web", 0, 0);
  const other = await cluster.agent("a-2", { resources: resources({ cpuMillis: 500, memoryMiB: 256 }) });
  await batch.say({ revives: [{ roles: [] }] });
  const offers = [];
  while (batch.offersLeft > 0) offers.push(await batch.offer());
  const there = offers.filter(({ agentId }) => agentId === "a-2");
  await batch.accept(there, [aGroup([aTask("successor", budget)])]);
  await batch.say({ suppresses: [{ roles: [] }] });
  await batch.decline(offers.filter(({ agentId }) => agentId === "a-1"));
  await other.report("successor", TaskState.TASK_RUNNING, 1);
  await promise("web", 4_000, 4_000);
  await web.say({ demands: [aDemand(5, { priority: 70 })] });
  await cluster.advance(60_000);
  expect(killed(agent).length + killed(other).length).toBe(3);
});

test("no role is taken below its own guarantee", async () => {
  const agent = await cluster.agent("a-1");
  await promise("ops", 3_000, 1_536);
  await fill(agent, "batch", "ops", () => ({ priority: 10 }));
  await promise("web", 4_000, 4_000);
  const web = await idle();
  await web.say({ demands: [aDemand(8, { priority: 90 })] });
  await cluster.advance(180_000);
  expect(killed(agent)).toHaveLength(2);
});

test("within a role that has its guarantee the less important give way, and its share stays", async () => {
  const agent = await cluster.agent("a-1");
  await promise("web", 2_000, 1_024);
  const low = await cluster.framework("low", { roles: ["web"] });
  const groups = [1, 2, 3, 4].map((n) => aGroup([aTask(`low-${n}`, { priority: 20 })]));
  await low.accept([await low.offer()], groups, 1e9);
  await low.say({ suppresses: [{ roles: [] }] });
  await fill(agent, "batch", "ops", () => ({ priority: 10, resources: resources({ cpuMillis: 250, memoryMiB: 256 }) }));
  const high = await cluster.framework("high", { roles: ["web"], suppressedRoles: ["web"] });
  await high.say({ demands: [aDemand(1, { priority: 50 })] });
  await cluster.advance(10_000);
  expect(killed(agent)).toHaveLength(1);
  expect(killed(agent)[0]).toMatch(/^low-/);
});

test("room is not kept for ever, nor for a framework that is away or wants it no more", async () => {
  const agent = await cluster.agent("a-1");
  await fill(agent, "batch", "ops", () => ({ priority: 30 }));
  await promise("web", 500, 256);
  const web = await idle();
  await web.say({ demands: [aDemand(1, { priority: 70 })] });
  await cluster.advance(3_000);
  const awaited = async () =>
    (await cluster.call("Operator.ListFrameworks", {})).frameworks.find(({ name }) => name === "web")?.demands;
  expect(await awaited()).toMatchObject([{ offeredCount: 1, awaitedRoomCount: 1, priority: 70 }]);
  await cluster.advance(300_000);
  expect(await awaited()).toMatchObject([{ offeredCount: 0 }]);
  await web.drop();
  await end(agent, killed(agent)[0] as string);
  const other = await cluster.framework("other", { roles: ["ops"] });
  // What was freed is kept back for the guarantee, but not for that framework alone.
  const again = await idle({ frameworkId: web.id });
  await again.say({ demands: [aDemand(1, { priority: 70 })] });
  expect((await again.offer()).resources).toMatchObject({ cpuMillis: 500 });
  expect(other.all("offers").map((offer) => offer.resources?.cpuMillis)).toEqual([0]);
});

test("room is made on agents that a demand names, and for one that says so nowhere", async () => {
  const first = await cluster.agent("a-1");
  const one = await fill(first, "one", "ops", () => ({ priority: 10 }));
  await one.say({ suppresses: [{ roles: [] }] });
  const agents = [first, await cluster.agent("a-2")] as const;
  await fill(agents[1], "two", "ops", () => ({ priority: 30 }));
  await promise("web", 2_000, 1_024);
  const web = await idle();
  await web.say({ demands: [aDemand(1, { priority: 70, isWhole: true, isPatient: true })] });
  await cluster.advance(60_000);
  expect([...killed(agents[0]), ...killed(agents[1])]).toEqual([]);
  await web.say({ demands: [aDemand(1, { priority: 70, isWhole: true, agentIds: ["a-2"] })] });
  await cluster.advance(3_000);
  expect(killed(agents[0])).toEqual([]);
  expect(killed(agents[1])).toHaveLength(1);
  await end(agents[1], killed(agents[1])[0] as string);
  expect((await web.offer()).resources).toMatchObject({ cpuMillis: 500, memoryMiB: 256 });
});

test("who claims says a demand for its agent: the room that is made there is its, and nobody else's claim gets it", async () => {
  const agent = await cluster.agent("a-1");
  const ops = await fill(agent, "ops", "ops", () => ({ priority: 10 }));
  await ops.say({ suppresses: [{ roles: [] }] });
  await promise("web", 2_000, 1_024);
  const claimOf = (taskId: string, role: string): Claim => {
    const task = aTask(taskId, { resources: resources({ cpuMillis: 500, memoryMiB: 256 }), priority: 70 });
    const operations = [{ operationId: "", launch: { groups: [aGroup([task])] } }];
    return { claimId: taskId, agentId: "a-1", role, operations, setId: "", sequenceSeen: 0, setSize: 0 };
  };
  const web = await idle();
  await web.say({ claims: [claimOf("web-1", "web")] });
  expect(web.all("claimResults").map(({ granted }) => granted)).toEqual([false]);
  await web.say({ demands: [aDemand(1, { priority: 70, agentIds: ["a-1"] })] });
  await cluster.advance(3_000);
  const [victim = ""] = killed(agent);
  await end(agent, victim);
  const thief = await cluster.framework("thief", { roles: ["thief"], suppressedRoles: ["thief"] });
  await thief.say({ claims: [claimOf("thief-1", "thief")] });
  expect(thief.all("claimResults").map(({ granted }) => granted)).toEqual([false]);
  await web.say({ claims: [claimOf("web-2", "web")] });
  expect(web.all("claimResults").map(({ granted }) => granted)).toEqual([false, true]);
  expect(killed(agent)).toEqual([victim]);
});

test("who never uses what others were ended for is made room for more and more seldom", async () => {
  const agent = await cluster.agent("a-1");
  await fill(agent, "batch", "ops", () => ({ priority: 30 }));
  await promise("web", 4_000, 4_000);
  const web = await idle();
  await web.say({ demands: [aDemand(1, { priority: 70 })] });
  for (let minute = 0; minute < 30; minute++) {
    await cluster.advance(60_000);
    for (const taskId of killed(agent)) if (agent.all("kills").at(-1)?.taskId === taskId) await end(agent, taskId);
    while (web.offersLeft > 0) await web.decline([await web.offer()], 1_000);
  }
  expect(killed(agent).length).toBeGreaterThan(0);
  expect(killed(agent).length).toBeLessThan(7);
});

test("role explain tells of room that is made, and of why none is", async () => {
  const agent = await cluster.agent("a-1");
  await fill(agent, "batch", "ops", (index) => (index === 0 ? { priority: 10 } : { priority: 60 }));
  await promise("web", 4_000, 4_000);
  const web = await idle();
  await web.say({ demands: [aDemand(2, { priority: 65 })] });
  await cluster.advance(5_000);
  const { reasons } = await cluster.call("Operator.ExplainRole", { role: "web" });
  expect(reasons).toContainEqual(
    expect.objectContaining({ reason: "room-is-made", agentCount: 1, message: "others are being ended for it there" }),
  );
  expect(reasons).toContainEqual(
    expect.objectContaining({ reason: "no-room", message: expect.stringContaining("too important") }),
  );
});

test("an offer that nobody uses yet gives way before any task", async () => {
  const agent = await cluster.agent("a-1");
  const idler = await cluster.framework("idler", { roles: ["ops"] });
  await idler.offer();
  const web = await idle();
  await web.say({ demands: [aDemand(1, { priority: 70 })] });
  await promise("web", 500, 256);
  await cluster.advance(3_000);
  expect((await web.offer()).resources).toMatchObject({ cpuMillis: 500 });
  expect(killed(agent)).toEqual([]);
});

test("an agent that is away is told when it is back, and a new master knows what its tasks are", async () => {
  const agent = await cluster.agent("a-1");
  await fill(agent, "batch", "ops", () => ({ priority: 30, preemptionBudget: "b", preemptedMax: 3 }));
  const reports = Array.from({ length: 8 }, (_, index) =>
    agent.reportOf(agent.statusOf(`batch-${index}`, TaskState.TASK_RUNNING, 1)),
  );
  cluster = await cluster.failOver();
  const again = await cluster.agent("a-1", {}, reports);
  expect(await recordOf("batch-0")).toMatchObject({ priority: 30, preemptionBudget: "b", preemptedMax: 3 });
  await promise("web", 2_000, 1_024);
  const web = await idle();
  await web.say({ demands: [aDemand(1, { priority: 70 })] });
  await cluster.advance(3_000);
  const [victim] = killed(again) as [string];
  await again.drop();
  const back = await cluster.agent("a-1", {}, reports);
  expect(back.all("kills")).toMatchObject([{ taskId: victim, reason: StatusReason.REASON_PREEMPTED }]);
});

test("a new master takes no more of a budget than the former has left of it, until a successor runs", async () => {
  const agent = await cluster.agent("a-1");
  const budget = { priority: 30, preemptionBudget: "jobs/web", preemptedMax: 2 };
  const batch = await fill(agent, "batch", "ops", () => budget);
  await promise("web", 4_000, 4_000);
  const first = await idle();
  await first.say({ demands: [aDemand(1, { priority: 70 })] });
  await cluster.advance(5_000);
  const [gone] = killed(agent) as [string];
  await end(agent, gone);
  const living = Array.from({ length: 8 }, (_, index) => `batch-${index}`).filter((taskId) => taskId !== gone);
  const reports = living.map((taskId) => agent.reportOf(agent.statusOf(taskId, TaskState.TASK_RUNNING, 1)));
  cluster = await cluster.failOver();
  const again = await cluster.agent("a-1", {}, reports);
  const web = await idle({ frameworkId: first.id });
  await web.say({ demands: [aDemand(5, { priority: 70 })] });
  await cluster.advance(60_000);
  // One is missing since before: of the two that may be, one more.
  expect(killed(again)).toHaveLength(1);
  await web.say({ demands: [aDemand(0)] });
  await promise("web", 0, 0);
  const other = await cluster.agent("a-2", { resources: resources({ cpuMillis: 500, memoryMiB: 256 }) });
  const back = await cluster.framework("batch", { roles: ["ops"], frameworkId: batch.id });
  const offers = [await back.offer()];
  while (back.offersLeft > 0) offers.push(await back.offer());
  const there = offers.filter(({ agentId }) => agentId === "a-2");
  await back.accept(there, [aGroup([aTask("successor", budget)])]);
  await back.say({ suppresses: [{ roles: [] }] });
  await other.report("successor", TaskState.TASK_RUNNING, 1);
  await promise("web", 4_000, 4_000);
  await web.say({ demands: [aDemand(5, { priority: 70 })] });
  await cluster.advance(60_000);
  expect(killed(again).length + killed(other).length).toBe(2);
});

test.each([
  ["a priority of 0", { priority: 0 }, "priority"],
  ["a priority of 101", { priority: 101 }, "priority"],
  ["a name of a budget beyond all bounds", { preemptionBudget: "x".repeat(300) }, "preemption_budget"],
  ["a budget beyond all bounds", { preemptedMax: 4_000_000_000 }, "preempted_max"],
] as const)("a task with %s is refused by name, and its neighbour starts", async (_, more, field) => {
  const agent = await cluster.agent("a-1");
  const framework = await cluster.framework("wrong");
  await framework.accept([await framework.offer()], [aGroup([aTask("bad", more)]), aGroup([aTask("good")])]);
  expect(framework.updatesOf("bad")).toMatchObject([
    { state: TaskState.TASK_ERROR, message: expect.stringContaining(field) },
  ]);
  expect(agent.launchOf("good")).toBeDefined();
});

test("a demand with a priority of 101 is refused, naming the field", async () => {
  const web = await idle();
  await web.say({ demands: [aDemand(1, { priority: 101 })] });
  expect(web.all("refusals")).toMatchObject([
    { call: "demand", refusal: { kind: "invalid", field: "demands[0].priority" } },
  ]);
});

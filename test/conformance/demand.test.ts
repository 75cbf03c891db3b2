import { resources } from "@muster/foundation";
import { type Demand, type Offer, TaskState } from "@muster/proto";
import { afterEach, beforeEach, expect, test } from "vitest";
import { aDemand, aGroup, aTask, Cluster, type FrameworkClient, quiet } from "./harness.ts";

let cluster: Cluster;
beforeEach(async () => {
  cluster = await Cluster.start(quiet);
});
afterEach(() => cluster.close());

const idle = (name: string, role = "web"): Promise<FrameworkClient> =>
  cluster.framework(name, { roles: [role], suppressedRoles: [role] });

const offered = (framework: FrameworkClient) =>
  framework.all("offers").map((offer) => [offer.agentId, offer.resources?.cpuMillis]);

async function recordOf(name: string) {
  const { frameworks } = await cluster.call("Operator.ListFrameworks", {});
  return frameworks.find((framework) => framework.name === name);
}

test("a framework is offered as many of the shape as it wants, and others the rest", async () => {
  await cluster.agent("a-1");
  const framework = await idle("precise");
  await framework.say({ demands: [aDemand(3)] });
  expect(offered(framework)).toEqual([["a-1", 1_500]]);
  const other = await cluster.framework("other", { roles: ["ops"] });
  expect((await other.offer()).resources?.cpuMillis).toBe(2_500);
});

test("what does not fit on one agent is offered from several, and never more than is wanted", async () => {
  for (const id of ["a-1", "a-2", "a-3"]) await cluster.agent(id);
  const framework = await idle("precise");
  await framework.say({ demands: [aDemand(10)] });
  expect(offered(framework).map(([, cpuMillis]) => cpuMillis)).toEqual([4_000, 1_000]);
});

test("started groups are taken off the demand, and what comes free is offered only while more is wanted", async () => {
  const agent = await cluster.agent("a-1");
  const framework = await idle("precise");
  await framework.say({ demands: [aDemand(2)] });
  await framework.accept([await framework.offer()], [aGroup([aTask("t-1")]), aGroup([aTask("t-2")])]);
  expect((await recordOf("precise"))?.demands).toMatchObject([{ count: 0, offeredCount: 0 }]);
  await agent.report("t-1", TaskState.TASK_FINISHED, 1);
  expect(framework.offersLeft).toBe(0);
  await framework.say({ demands: [aDemand(1)] });
  expect((await framework.offer()).resources).toMatchObject({ cpuMillis: 500, memoryMiB: 256 });
});

test("an agent where a constraint does not hold, or the shape does not fit, is not offered", async () => {
  const rack = (value: string) => ({ attributes: [{ name: "rack", value }] });
  await cluster.agent("a-1", rack("r1"));
  await cluster.agent("a-2", rack("r2"));
  await cluster.agent("a-3", { ...rack("r2"), resources: resources({ cpuMillis: 400, memoryMiB: 9_000 }) });
  const framework = await idle("choosy");
  const constraints = [{ attribute: "rack", operator: "=", value: "r2", role: "" }];
  await framework.say({ demands: [aDemand(100, { constraints })] });
  expect(offered(framework)).toEqual([["a-2", 4_000]]);
});

test("a declined shape stays away for as long as its filter, and is not offered again at once", async () => {
  await cluster.agent("a-1");
  const framework = await idle("precise");
  await framework.say({ demands: [aDemand(1)] });
  await framework.decline([await framework.offer()]);
  await cluster.advance(4_900);
  expect(framework.offersLeft).toBe(0);
  await cluster.advance(100);
  expect((await framework.offer()).resources?.cpuMillis).toBe(500);
});

test("demands of several shapes share an agent in the order in which they were said", async () => {
  await cluster.agent("a-1");
  const framework = await idle("precise");
  const large = aDemand(1, { demandId: "large", resources: resources({ cpuMillis: 3_000, memoryMiB: 1_000 }) });
  await framework.say({ demands: [large, aDemand(5, { demandId: "small" })] });
  expect((await framework.offer()).resources).toMatchObject({ cpuMillis: 4_000, memoryMiB: 1_512 });
  expect((await recordOf("precise"))?.demands).toMatchObject([
    { demandId: "large", offeredCount: 1 },
    { demandId: "small", offeredCount: 2 },
  ]);
});

test("a demand of 0 is offered nothing; a new session has said nothing yet", async () => {
  const framework = await cluster.framework("precise");
  await framework.say({ demands: [aDemand(0)] });
  await cluster.agent("a-1");
  await cluster.settle();
  expect(framework.offersLeft).toBe(0);
  const again = await cluster.framework("precise", { frameworkId: framework.id });
  expect((await again.offer()).resources?.cpuMillis).toBe(4_000);
});

test("frameworks that want nothing do not stand before one that does", async () => {
  for (let n = 0; n < 20; n++) await (await cluster.framework(`idle-${n}`)).say({ demands: [aDemand(0)] });
  const busy = await cluster.framework("busy");
  await cluster.agent("a-1");
  expect((await busy.offer()).resources?.cpuMillis).toBe(4_000);
});

test.each([
  ["a role of others", { role: "ops" }, "invalid", "demands[0].role"],
  ["no shape", { resources: null }, "invalid", "demands[0].resources"],
  ["a count beyond all bounds", { count: 4_000_000_000 }, "invalid", "demands[0].count"],
  [
    "ten thousand constraints",
    { constraints: Array.from({ length: 10_000 }, () => ({ attribute: "a", operator: "=", value: "b", role: "" })) },
    "too-many",
    "demands[0].constraints",
  ],
  [
    "an expression that looks around",
    { constraints: [{ attribute: "a", operator: "regexp", value: "(?=a)b", role: "" }] },
    "invalid",
    "demands[0].constraints[0].value",
  ],
] as const)(
  "a demand with %s is refused, naming the field, and others are offered what there is",
  async (_, more, kind, field) => {
    const other = await cluster.framework("other");
    const framework = await idle("wrong");
    framework.send({ demands: [aDemand(1, more as Partial<Demand>)] });
    await cluster.agent("a-1");
    expect((await other.offer()).agentId).toBe("a-1");
    await cluster.settle();
    expect(framework.all("refusals")).toMatchObject([{ call: "demand", refusal: { kind, field } }]);
  },
);

test("a framework that declines for ever is backed off, visibly, until it uses an offer", async () => {
  for (let n = 0; n < 16; n++) await cluster.agent(`a-${n}`);
  const framework = await cluster.framework("never");
  for (let round = 0; round < 8; round++) {
    if (framework.offersLeft === 0) break;
    const offers: Offer[] = [];
    while (framework.offersLeft > 0) offers.push(await framework.offer());
    await framework.decline(offers, 0);
    await cluster.advance(100);
  }
  const declined = (await recordOf("never"))?.declinedInRow ?? 0;
  // The 64th decline is the first that is kept for longer; of its round some came before it, and came once more.
  expect(declined).toBeGreaterThanOrEqual(64);
  expect(declined).toBeLessThan(80);
  await cluster.advance(4_700);
  expect(framework.offersLeft).toBe(0);
  await cluster.advance(300);
  await framework.accept([await framework.offer()], [aGroup([aTask("t-1")])]);
  expect(await recordOf("never")).toMatchObject({ offersAccepted: 1, declinedInRow: 0 });
});

test("who chooses among agents is offered all of them whole where it fits, and what it starts leaves its count", async () => {
  await cluster.agent("a-1");
  await cluster.agent("a-2");
  await cluster.agent("a-3", { resources: resources({ cpuMillis: 400, memoryMiB: 9_000 }) });
  const framework = await idle("choosy");
  await framework.say({ demands: [aDemand(2, { isWhole: true })] });
  expect(offered(framework)).toEqual([
    ["a-1", 4_000],
    ["a-2", 4_000],
  ]);
  await framework.accept([await framework.offer()], [aGroup([aTask("t-1")])]);
  expect((await recordOf("choosy"))?.demands).toMatchObject([{ count: 2, offeredCount: 0 }]);
  await framework.say({ demands: [aDemand(0, { isWhole: true })] });
  await cluster.advance(10_000);
  expect(framework.offersLeft).toBe(1);
});

test("a whole demand ends no filters, a revival does", async () => {
  await cluster.agent("a-1");
  const framework = await idle("choosy");
  await framework.say({ demands: [aDemand(1, { isWhole: true })] });
  await framework.decline([await framework.offer()], 60_000);
  await framework.say({ demands: [aDemand(5, { isWhole: true })] });
  await cluster.advance(1_000);
  expect(framework.offersLeft).toBe(0);
  await framework.say({ revives: [{ roles: ["web"] }] });
  expect((await framework.offer()).resources?.cpuMillis).toBe(4_000);
});

test("a wish that only the limit of its role leaves no room for is told to wait for the limit", async () => {
  await cluster.agent("a-1");
  const limit = resources({ cpuMillis: 700, memoryMiB: 4_096 });
  await cluster.call("Operator.SetQuota", { role: "web", limit, force: true });
  const framework = await idle("precise");
  await framework.say({ demands: [aDemand(1, { resources: resources({ cpuMillis: 800, memoryMiB: 256 }) })] });
  const { reasons } = await cluster.call("Operator.ExplainRole", { role: "web" });
  expect(reasons.map(({ reason }) => reason)).toContain("limit");
  expect(reasons.map(({ reason }) => reason)).not.toContain("demand");
});

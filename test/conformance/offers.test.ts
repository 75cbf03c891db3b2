import { resources } from "@muster/foundation";
import { StatusReason, TaskState } from "@muster/proto";
import { afterEach, beforeEach, expect, test } from "vitest";
import { aGroup, aTask, Cluster, quiet, until } from "./harness.ts";

let cluster: Cluster;
beforeEach(async () => {
  cluster = await Cluster.start(quiet);
});
afterEach(() => cluster.close());

test("case 12: a free agent is offered whole, with attributes and address, at once", async () => {
  await cluster.agent("a-1", { attributes: [{ name: "rack", value: "r1" }] });
  const framework = await cluster.framework("services");
  // Time stands still: nothing waited for a tick of a clock.
  expect(await framework.offer()).toMatchObject({
    agentId: "a-1",
    agentName: "name-a-1",
    agentIp: "10.0.0.1",
    role: "web",
    resources: { cpuMillis: 4_000, memoryMiB: 4_096, diskMiB: 10_000, portCount: 100 },
    attributes: [{ name: "rack", value: "r1" }],
    dynamicPortFirst: 20_000,
    dynamicPortLast: 20_099,
  });
});

test("case 13: what is offered to one framework is not offered to another", async () => {
  await cluster.agent("a-1");
  const first = await cluster.framework("one");
  const offer = await first.offer();
  const second = await cluster.framework("two");
  await cluster.settle();
  expect(second.offersLeft).toBe(0);
  await first.decline([offer]);
  expect((await second.offer()).agentId).toBe("a-1");
});

test("case 14: a decline without a filter keeps the agent away for 5 s", async () => {
  await cluster.agent("a-1");
  const framework = await cluster.framework("services");
  await framework.decline([await framework.offer()]);
  await cluster.advance(4_900);
  expect(framework.offersLeft).toBe(0);
  await cluster.advance(100);
  expect((await framework.offer()).agentId).toBe("a-1");
});

test("case 15: refused for 0, an agent is offered again in the next round", async () => {
  await cluster.agent("a-1");
  const framework = await cluster.framework("services");
  await framework.decline([await framework.offer()], 0);
  await cluster.advance(100);
  expect((await framework.offer()).agentId).toBe("a-1");
});

test("case 16: nothing said means 5 s, and more than 365 days means 365 days", async () => {
  await cluster.agent("a-1");
  const framework = await cluster.framework("services");
  // The contract has no negative time: what a negative number would be is absent.
  await framework.decline([await framework.offer()], undefined);
  await cluster.advance(5_000);
  await framework.decline([await framework.offer()], 1e15);
  await cluster.advance(365 * 86_400_000 - 1);
  expect(framework.offersLeft).toBe(0);
  await cluster.advance(1);
  expect((await framework.offer()).agentId).toBe("a-1");
});

test("case 17: an agent with more free than was refused is offered at once", async () => {
  const agent = await cluster.agent("a-1");
  const framework = await cluster.framework("services");
  await framework.accept([await framework.offer()], [aGroup([aTask("t-1")])]);
  await cluster.settle();
  expect(framework.offersLeft).toBe(0);
  await agent.report("t-1", TaskState.TASK_FINISHED, 1);
  expect((await framework.offer()).resources?.cpuMillis).toBe(4_000);
});

test("case 18: a filter on one role does not hold for another", async () => {
  await cluster.agent("a-1");
  const framework = await cluster.framework("services", { roles: ["a", "b"] });
  const offer = await framework.offer();
  await framework.decline([offer], 3_600_000);
  const second = await framework.offer();
  expect(second.role).not.toBe(offer.role);
});

test("case 19: reviving a role ends its filters", async () => {
  await cluster.agent("a-1");
  const framework = await cluster.framework("services");
  await framework.decline([await framework.offer()], 3_600_000);
  await cluster.settle();
  expect(framework.offersLeft).toBe(0);
  await framework.say({ revives: [{ roles: ["web"] }] });
  expect((await framework.offer()).agentId).toBe("a-1");
});

test("case 20: a suppressed role gets nothing, another one does; subscribing anew without it resumes", async () => {
  const framework = await cluster.framework("services", { roles: ["a", "b"] });
  await framework.say({ suppresses: [{ roles: ["a"] }] });
  await cluster.agent("a-1");
  expect((await framework.offer()).role).toBe("b");
  await cluster.agent("a-2");
  expect((await framework.offer()).role).toBe("b");
  await framework.say({ suppresses: [{ roles: ["b"] }] });
  await cluster.agent("a-3");
  await cluster.settle();
  expect(framework.offersLeft).toBe(0);
  const again = await cluster.framework("services", { frameworkId: framework.id, roles: ["a"] });
  expect((await again.offer()).role).toBe("a");
});

test("case 20: a role that the framework does not have is refused by name, and nothing changes", async () => {
  const framework = await cluster.framework("services");
  await framework.say({ suppresses: [{ roles: ["other"] }] });
  expect(framework.all("refusals")).toMatchObject([{ call: "suppress", refusal: { field: "suppresses[0].roles[0]" } }]);
  await cluster.agent("a-1");
  expect((await framework.offer()).role).toBe("web");
});

test("case 21: an agent that comes back with other attributes is not what was refused", async () => {
  const agent = await cluster.agent("a-1", { attributes: [{ name: "rack", value: "r1" }] });
  const framework = await cluster.framework("services");
  await framework.decline([await framework.offer()], 3_600_000);
  await agent.drop();
  const same = await cluster.agent("a-1", { attributes: [{ name: "rack", value: "r1" }] });
  await cluster.settle();
  expect(framework.offersLeft).toBe(0);
  await same.drop();
  await cluster.agent("a-1", { attributes: [{ name: "rack", value: "r2" }] });
  expect((await framework.offer()).attributes).toMatchObject([{ name: "rack", value: "r2" }]);
});

test("case 22: less than a framework's minimum is not offered to it, but to another", async () => {
  await cluster.agent("a-1", { resources: resources({ cpuMillis: 500, memoryMiB: 1_024 }) });
  const choosy = await cluster.framework("choosy", { minimumOffer: resources({ cpuMillis: 1_000 }) });
  await cluster.settle();
  expect(choosy.offersLeft).toBe(0);
  const modest = await cluster.framework("modest");
  expect((await modest.offer()).resources?.cpuMillis).toBe(500);
});

test("case 23: agents that break a constraint are never offered; a bad expression is refused", async () => {
  const constraint = { attribute: "rack", operator: "=", value: "r1", role: "" };
  const framework = await cluster.framework("services", { offerConstraints: [constraint] });
  await cluster.agent("a-2", { attributes: [{ name: "rack", value: "r2" }] });
  await cluster.agent("a-1", { attributes: [{ name: "rack", value: "r1" }] });
  expect((await framework.offer()).agentId).toBe("a-1");
  await cluster.settle();
  expect(framework.offersLeft).toBe(0);
  const bad = { attribute: "rack", operator: "regexp", value: "(", role: "" };
  const refused = await cluster.framework("other", { offerConstraints: [constraint, bad] });
  const field = "subscription.framework.offer_constraints[1].value";
  expect(refused.ended).toMatchObject({ kind: "invalid", field });
});

test("case 24: an offer that is not answered is rescinded and goes to somebody else; a late accept is dropped", async () => {
  await cluster.close();
  cluster = await Cluster.start({ ...quiet, offerTimeoutMs: 30_000 });
  const agent = await cluster.agent("a-1");
  const slow = await cluster.framework("slow", { roles: ["a"] });
  const offer = await slow.offer();
  const other = await cluster.framework("other", { roles: ["a"] });
  await cluster.advance(29_999);
  expect(slow.all("rescinds")).toEqual([]);
  // The other one stands before it in the order of names and shares: nothing held by either.
  await slow.say({ suppresses: [{ roles: [] }] });
  await cluster.advance(1);
  expect(slow.all("rescinds")).toMatchObject([{ offerId: offer.offerId }]);
  expect((await other.offer()).agentId).toBe("a-1");
  await slow.accept([offer], [aGroup([aTask("t-1")])]);
  expect(slow.updatesOf("t-1")).toMatchObject([
    { state: TaskState.TASK_DROPPED, reason: StatusReason.REASON_INVALID_OFFERS },
  ]);
  expect(agent.all("launches")).toEqual([]);
});

test("case 25: an accept that crosses a rescind ends once: launched or dropped", async () => {
  const agent = await cluster.agent("a-1");
  const framework = await cluster.framework("services");
  const offer = await framework.offer();
  // The agent shrinks while the accept is on its way: both cross on the wire.
  agent.send({
    update: {
      resources: resources({ cpuMillis: 100, memoryMiB: 100 }),
      attributes: [],
      foreignPorts: [],
      networks: null,
    },
  });
  await framework.accept([offer], [aGroup([aTask("t-1")])]);
  const launched = agent.launchOf("t-1") !== undefined;
  const dropped = framework.updatesOf("t-1").filter((status) => status.state === TaskState.TASK_DROPPED);
  expect(dropped).toHaveLength(launched ? 0 : 1);
});

test("case 26: what an accept leaves is kept from its framework for 5 s and goes to another at once", async () => {
  await cluster.agent("a-1");
  const first = await cluster.framework("one", { roles: ["a"] });
  const offer = await first.offer();
  const second = await cluster.framework("two", { roles: ["b"] });
  await first.accept([offer], [aGroup([aTask("t-1")])]);
  expect((await second.offer()).resources?.cpuMillis).toBe(3_500);
  await second.decline([...second.all("offers")], 3_600_000);
  await cluster.advance(4_900);
  expect(first.offersLeft).toBe(0);
  await cluster.advance(100);
  expect((await first.offer()).resources?.cpuMillis).toBe(3_500);
});

test("case 27: two offers of one agent and role together carry a task larger than either", async () => {
  const agent = await cluster.agent("a-1", { resources: resources({ cpuMillis: 1_000, memoryMiB: 1_024 }) });
  const framework = await cluster.framework("services");
  const first = await framework.offer();
  await agent.say({
    update: {
      resources: resources({ cpuMillis: 2_000, memoryMiB: 2_048 }),
      attributes: [],
      foreignPorts: [],
      networks: null,
    },
  });
  const second = await framework.offer();
  const big = aTask("t-1", { resources: resources({ cpuMillis: 1_800, memoryMiB: 1_800 }) });
  await framework.accept([first, second], [aGroup([big])]);
  expect(agent.launchOf("t-1")).toBeDefined();
});

test("case 28: offers of two agents in one accept: all is refused and both are free again", async () => {
  const agents = [await cluster.agent("a-1"), await cluster.agent("a-2")];
  const framework = await cluster.framework("services");
  const offers = [await framework.offer(), await framework.offer()];
  await framework.accept(offers, [aGroup([aTask("t-1")])]);
  expect(framework.updatesOf("t-1")).toMatchObject([
    { state: TaskState.TASK_DROPPED, reason: StatusReason.REASON_INVALID_OFFERS },
  ]);
  expect(framework.all("refusals")).toMatchObject([{ call: "accept", refusal: { field: "accepts[0].offer_ids[1]" } }]);
  expect(agents.flatMap((agent) => agent.all("launches"))).toEqual([]);
  const again = [await framework.offer(), await framework.offer()];
  expect(again.map((offer) => offer.agentId).sort()).toEqual(["a-1", "a-2"]);
});

test("case 29: nobody can use or return another framework's offer", async () => {
  const agent = await cluster.agent("a-1");
  const owner = await cluster.framework("owner");
  const thief = await cluster.framework("thief");
  const offer = await owner.offer();
  await thief.accept([offer], [aGroup([aTask("t-1")])]);
  expect(thief.updatesOf("t-1")).toMatchObject([{ state: TaskState.TASK_DROPPED }]);
  await thief.decline([offer]);
  expect(thief.all("refusals").map((refused) => [refused.call, refused.refusal?.kind])).toEqual([
    ["accept", "offer-gone"],
    ["decline", "offer-gone"],
  ]);
  expect(agent.all("launches")).toEqual([]);
  await owner.accept([offer], [aGroup([aTask("t-2")])]);
  expect(agent.launchOf("t-2")).toBeDefined();
});

test("case 30: an offer that is named twice is refused", async () => {
  const agent = await cluster.agent("a-1");
  const framework = await cluster.framework("services");
  const offer = await framework.offer();
  await framework.accept([offer, offer], [aGroup([aTask("t-1")])]);
  expect(framework.updatesOf("t-1")).toMatchObject([{ state: TaskState.TASK_DROPPED }]);
  expect(framework.all("refusals")).toMatchObject([{ call: "accept", refusal: { kind: "invalid" } }]);
  expect(agent.all("launches")).toEqual([]);
  await until(() => framework.offersLeft === 1);
});

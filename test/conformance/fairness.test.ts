import { resources } from "@muster/foundation";
import { StatusReason, TaskState } from "@muster/proto";
import { afterEach, beforeEach, expect, test } from "vitest";
import { type AgentClient, aGroup, aTask, Cluster, type FrameworkClient, quiet } from "./harness.ts";

const anHourMs = 3_600_000;

let cluster: Cluster;
beforeEach(async () => {
  cluster = await Cluster.start(quiet);
});
afterEach(() => cluster.close());

const cpu = (cpuMillis: number) => resources({ cpuMillis });

/** What a framework is offered and has not answered. */
function offered(framework: FrameworkClient): { cpuMillis: number; memoryMiB: number; portCount: number } {
  const sum = { cpuMillis: 0, memoryMiB: 0, portCount: 0 };
  for (const offer of cluster.master.state?.frameworks.get(framework.id)?.offers ?? []) {
    sum.cpuMillis += offer.resources.cpuMillis;
    sum.memoryMiB += offer.resources.memoryMiB;
    sum.portCount += offer.resources.portCount;
  }
  return sum;
}

async function agents(count: number): Promise<AgentClient[]> {
  const all: AgentClient[] = [];
  for (let i = 0; i < count; i++) all.push(await cluster.agent(`a-${i}`));
  await cluster.settle();
  return all;
}

test("case 64: with weights of 1 and 3 the shares become 1 to 3; a change moves later offers and kills nothing", async () => {
  await cluster.call("Operator.SetWeight", { role: "b", weightMillis: 3_000 });
  const a = await cluster.framework("a", { roles: ["a"] });
  const b = await cluster.framework("b", { roles: ["b"] });
  await agents(8);
  expect([offered(a).cpuMillis, offered(b).cpuMillis]).toEqual([8_000, 24_000]);
  const launched = await a.offer();
  await a.accept([launched], [aGroup([aTask("t-1", { resources: cpu(4_000) })])], 0);
  const dry = await cluster.call("Operator.SetWeight", { role: "a", weightMillis: 3_000, dryRun: true });
  expect(dry).toMatchObject({ weightMillisBefore: 1_000 });
  await cluster.call("Operator.SetWeight", { role: "a", weightMillis: 3_000 });
  for (let i = 8; i < 12; i++) await cluster.agent(`a-${i}`);
  await cluster.settle();
  expect([offered(a).cpuMillis, offered(b).cpuMillis]).toEqual([20_000, 24_000]);
  expect(a.updatesOf("t-1")).toEqual([]);
});

test("case 66: of 15 cpus on one agent a role with a limit of 10 is offered at most 10, others the rest", async () => {
  await cluster.call("Operator.SetQuota", { role: "eng", limit: cpu(10_000), force: true });
  const eng = await cluster.framework("eng", { roles: ["eng"] });
  const memoryMiB = 15_000;
  await cluster.agent("a-0", { resources: resources({ cpuMillis: 15_000, memoryMiB, portCount: 90 }) });
  await cluster.settle();
  expect(offered(eng)).toEqual({ cpuMillis: 10_000, memoryMiB, portCount: 60 });
  await eng.decline([await eng.offer()], anHourMs);
  const other = await cluster.framework("other", { roles: ["other"] });
  await cluster.settle();
  expect(offered(other).cpuMillis).toBe(15_000);
});

test("a limit holds for all roles below together, also for ports and amounts of any name", async () => {
  const limit = resources({ cpuMillis: 6_000, portCount: 120, custom: { gpus: 3 } });
  await cluster.call("Operator.SetQuota", { role: "eng", limit, limitedToNone: ["licences"] });
  const frameworks: FrameworkClient[] = [];
  for (const role of ["eng/ml", "eng/web", "eng"])
    frameworks.push(await cluster.framework(role.replace("/", "-"), { roles: [role] }));
  const each = { cpuMillis: 4_000, memoryMiB: 4_096, portCount: 100, custom: { gpus: 2, licences: 5 } };
  for (let i = 0; i < 4; i++) await cluster.agent(`a-${i}`, { resources: resources(each) });
  await cluster.settle();
  const { roles } = await cluster.call("Operator.ListRoles", {});
  const eng = roles.find(({ role }) => role === "eng");
  expect(eng).toMatchObject({ limit, limitedToNone: ["licences"], guarantee: null });
  expect(eng?.offered?.cpuMillis).toBe(6_000);
  expect(eng?.offered?.portCount).toBeLessThanOrEqual(120);
  expect(eng?.offered?.custom).toEqual({ gpus: 3 });
});

test("case 67: nobody eats into a guarantee that is not used; whoever it belongs to is offered it at once", async () => {
  await agents(4);
  const greedy = await cluster.framework("greedy", { roles: ["greedy"] });
  await cluster.settle();
  expect(offered(greedy).cpuMillis).toBe(16_000);
  // The offers that are in the way of the guarantee are rescinded.
  const answer = await cluster.call("Operator.SetQuota", { role: "eng", guarantee: cpu(8_000) });
  expect(answer).toMatchObject({ offersRescinded: 2 });
  await cluster.settle();
  expect(offered(greedy).cpuMillis).toBe(8_000);
  const eng = await cluster.framework("eng", { roles: ["eng/ml"] });
  await cluster.settle();
  expect(offered(eng).cpuMillis).toBe(8_000);
});

test("no guarantee is kept by what an operator has taken out of use, nor is that part of anybody's share", async () => {
  await agents(2);
  await cluster.call("Operator.SetQuota", { role: "eng", guarantee: cpu(4_000) });
  await cluster.call("Operator.Deactivate", { agentId: "a-0" });
  const greedy = await cluster.framework("greedy", { roles: ["greedy"] });
  await cluster.settle();
  expect(offered(greedy).cpuMillis).toBe(0);
  expect(cluster.master.state?.allocator.total.cpuMillis).toBe(4_000);
  await cluster.call("Operator.Reactivate", { agentId: "a-0" });
  await cluster.settle();
  expect(offered(greedy).cpuMillis).toBe(4_000);
});

test("a guarantee is a part of what the role above is promised, and comes before fair shares", async () => {
  const under = cluster.call("Operator.SetQuota", { role: "eng/ml", guarantee: cpu(4_000), force: true });
  await expect(under).rejects.toMatchObject({ kind: "invalid", field: "guarantee" });
  await agents(4);
  await cluster.call("Operator.SetQuota", { role: "eng", guarantee: cpu(8_000) });
  await cluster.call("Operator.SetQuota", { role: "eng/ml", guarantee: cpu(4_000) });
  const lower = cluster.call("Operator.SetQuota", { role: "eng", guarantee: cpu(2_000) });
  await expect(lower).rejects.toMatchObject({ kind: "invalid", field: "guarantee" });
  const web = await cluster.framework("web", { roles: ["eng/web"] });
  const other = await cluster.framework("other", { roles: ["other"] });
  await cluster.settle();
  expect(offered(web).cpuMillis + offered(other).cpuMillis).toBe(12_000);
  const ml = await cluster.framework("ml", { roles: ["eng/ml"] });
  await cluster.settle();
  expect(offered(ml).cpuMillis).toBe(4_000);
});

test("more than the cluster has is promised only by force, and a guarantee is within its limit", async () => {
  await agents(2);
  const set = (request: object) => cluster.call("Operator.SetQuota", { role: "eng", ...request });
  await expect(set({ guarantee: cpu(9_000) })).rejects.toMatchObject({ kind: "wrong-state", field: "guarantee" });
  await expect(set({ guarantee: cpu(3_000), limit: cpu(2_000) })).rejects.toMatchObject({ kind: "invalid" });
  await expect(set({ role: "a//b" })).rejects.toMatchObject({ kind: "invalid", field: "role" });
  await expect(set({ guarantee: cpu(9_000), dryRun: true })).rejects.toMatchObject({ kind: "wrong-state" });
  await set({ guarantee: cpu(8_000), dryRun: true });
  expect((await cluster.call("Operator.ListRoles", {})).roles).toEqual([]);
  await set({ guarantee: cpu(9_000), force: true });
  const weight = cluster.call("Operator.SetWeight", { role: "eng", weightMillis: 0 });
  await expect(weight).rejects.toMatchObject({ kind: "invalid", field: "weight_millis" });
  await set({});
  expect((await cluster.call("Operator.ListRoles", {})).roles).toEqual([]);
});

test("case 68: a limit below what is used is refused; by force it kills nothing, and nothing more is offered", async () => {
  const [agent] = await agents(2);
  const eng = await cluster.framework("eng", { roles: ["eng"] });
  await eng.accept([await eng.offer()], [aGroup([aTask("t-1", { resources: cpu(3_000) })])], 0);
  const set = (force: boolean) => cluster.call("Operator.SetQuota", { role: "eng", limit: cpu(2_000), force });
  await expect(set(false)).rejects.toMatchObject({ kind: "wrong-state", field: "limit" });
  expect(await set(true)).toMatchObject({ allocated: { cpuMillis: 3_000 } });
  await cluster.settle();
  expect(offered(eng).cpuMillis).toBe(0);
  expect(agent?.all("kills")).toEqual([]);
  const { reasons } = await cluster.call("Operator.ExplainRole", { role: "eng" });
  expect(reasons).toContainEqual(expect.objectContaining({ reason: "limit", role: "eng", resource: "cpu" }));
});

test("what a role gives back under its limit it is offered again, elsewhere too", async () => {
  await cluster.call("Operator.SetQuota", { role: "eng", limit: cpu(4_000), force: true });
  const [first] = await agents(2);
  const eng = await cluster.framework("eng", { roles: ["eng"] });
  const offer = await eng.offer();
  await eng.accept([offer], [aGroup([aTask("t-1", { resources: cpu(4_000) })])], anHourMs);
  expect(offered(eng).cpuMillis).toBe(0);
  await first?.report("t-1", TaskState.TASK_FAILED, 1);
  await cluster.settle();
  expect(offered(eng).cpuMillis).toBe(4_000);
});

test("case 75: after a restart of the master a role with a limit waits until all agents are back, and exceeds nothing", async () => {
  await cluster.call("Operator.SetQuota", { role: "eng", limit: cpu(4_000), force: true });
  const [first, second] = await agents(2);
  const eng = await cluster.framework("eng", { roles: ["eng"] });
  await eng.accept([await eng.offer()], [aGroup([aTask("t-1", { resources: cpu(3_000) })])], anHourMs);
  const running = await (first?.launchOf("t-1") ? first : second)?.report("t-1", TaskState.TASK_RUNNING, 1);
  const holder = first?.launchOf("t-1") ? first : second;
  cluster = await cluster.failOver();
  const back = await cluster.framework("eng", { roles: ["eng"], frameworkId: eng.id });
  const other = holder === first ? "a-1" : "a-0";
  await cluster.agent(other);
  await cluster.settle();
  expect(offered(back).cpuMillis).toBe(0);
  const { reasons } = await cluster.call("Operator.ExplainRole", { role: "eng" });
  expect(reasons).toContainEqual(expect.objectContaining({ reason: "agents-awaited", agentCount: 1 }));
  const refused = cluster.call("Operator.SetQuota", { role: "eng", limit: cpu(5_000) });
  await expect(refused).rejects.toMatchObject({ kind: "unavailable" });
  if (holder === undefined || running === undefined) throw new Error("nobody was told to launch");
  await cluster.agent(holder.id, {}, [holder.reportOf(running)]);
  await cluster.settle();
  expect(offered(back).cpuMillis).toBe(1_000);
});

test("case 75: after the time-out it is served; an agent that comes back later takes offers away, never tasks", async () => {
  await cluster.call("Operator.SetQuota", { role: "eng", limit: cpu(4_000), force: true });
  await agents(2);
  const eng = await cluster.framework("eng", { roles: ["eng"] });
  await eng.accept([await eng.offer()], [aGroup([aTask("t-1", { resources: cpu(3_000) })])], anHourMs);
  await cluster.settle();
  const task = [...(cluster.master.state?.frameworks.get(eng.id)?.tasks.values() ?? [])][0];
  const holder = task?.group.agent.id ?? "";
  const report = {
    frameworkId: eng.id,
    frameworkName: "eng",
    role: "eng",
    task: aTask("t-1", { resources: cpu(3_000) }),
    launchId: "launch-t-1",
    ports: [],
    status: { ...(task?.status as NonNullable<typeof task>["status"]), state: TaskState.TASK_RUNNING, sequence: 1 },
    acknowledged: true,
    executorId: "",
    reserved: [],
    volumes: [],
  };
  cluster = await cluster.failOver();
  const back = await cluster.framework("eng", { roles: ["eng"], frameworkId: eng.id });
  await cluster.agent(holder === "a-0" ? "a-1" : "a-0");
  await cluster.settle();
  expect(offered(back).cpuMillis).toBe(0);
  await cluster.advance(75_000);
  expect(offered(back).cpuMillis).toBe(4_000);
  await cluster.agent(holder, {}, [report]);
  await cluster.settle();
  expect(offered(back).cpuMillis).toBe(1_000);
  expect(back.all("rescinds").length).toBe(1);
});

test("quota and weights are the same under the next master", async () => {
  const quota = { guarantee: cpu(2_000), limit: resources({ cpuMillis: 4_000, custom: { gpus: 2 } }) };
  await cluster.call("Operator.SetQuota", { role: "eng", ...quota, limitedToNone: ["licences"], force: true });
  await cluster.call("Operator.SetWeight", { role: "eng/ml", weightMillis: 2_500 });
  const before = await cluster.call("Operator.ListRoles", {});
  expect(before.roles.map(({ role, weightMillis }) => [role, weightMillis])).toEqual([
    ["eng", 1_000],
    ["eng/ml", 2_500],
  ]);
  cluster = await cluster.failOver();
  expect(await cluster.call("Operator.ListRoles", {})).toEqual(before);
});

test("a store that does not answer leaves quota as it was, and says so", async () => {
  await cluster.call("Operator.SetWeight", { role: "eng", weightMillis: 2_000 });
  const { MusterError } = await import("@muster/foundation");
  cluster.storeFault = new MusterError("unavailable", "away");
  const set = cluster.call("Operator.SetWeight", { role: "eng", weightMillis: 5_000 });
  await expect(set).rejects.toMatchObject({ kind: "unavailable" });
  cluster.storeFault = undefined;
  expect((await cluster.call("Operator.ListRoles", {})).roles).toMatchObject([{ role: "eng", weightMillis: 2_000 }]);
});

test("a role that got nothing is told why, agent by agent", async () => {
  await cluster.agent("small", { resources: resources({ cpuMillis: 100, memoryMiB: 16 }) });
  await cluster.agent("r1", { attributes: [{ name: "rack", value: "r1" }] });
  await cluster.agent("r2", { attributes: [{ name: "rack", value: "r2" }] });
  const constraint = { attribute: "rack", operator: "=", value: "r1", role: "" };
  const picky = await cluster.framework("picky", {
    roles: ["picky"],
    minimumOffer: resources({ cpuMillis: 1_000 }),
    offerConstraints: [constraint],
  });
  await picky.decline([await picky.offer()], anHourMs);
  const quiet = await cluster.framework("quiet", { roles: ["picky"], suppressedRoles: ["picky"] });
  const answer = await cluster.call("Operator.ExplainRole", { role: "picky" });
  expect(answer).toMatchObject({ agentCount: 3, eagerCount: 1 });
  expect(answer.reasons).toMatchObject([
    { reason: "suppressed", agentCount: 0, frameworkId: quiet.id },
    { reason: "below-minimum", agentCount: 1, frameworkName: "picky" },
    { reason: "refused", agentCount: 1, frameworkId: picky.id, remainingMs: anHourMs },
    { reason: "constraints", agentCount: 1 },
  ]);
  const other = await cluster.framework("other", { roles: ["other"] });
  await cluster.settle();
  const offers = await cluster.call("Operator.ExplainRole", { role: "picky" });
  expect(offers.reasons).toContainEqual(expect.objectContaining({ reason: "offered", agentCount: 3 }));
  expect(offers.ahead).toEqual([]);
  expect((await cluster.call("Operator.ExplainRole", { role: "other" })).ahead).toMatchObject([{ role: "picky" }]);
  await cluster.call("Operator.Deactivate", { agentId: "r1" });
  const closed = await cluster.call("Operator.ExplainRole", { role: "picky" });
  expect(closed.reasons).toContainEqual(expect.objectContaining({ reason: "agent-inactive", agentCount: 1 }));
  await other.drop();
  await expect(cluster.call("Operator.ExplainRole", { role: "nobody" })).rejects.toMatchObject({ kind: "not-found" });
});

test("launches out of offers never take a role above its limit", async () => {
  await cluster.call("Operator.SetQuota", { role: "eng", limit: cpu(5_000), force: true });
  await agents(3);
  const eng = await cluster.framework("eng", { roles: ["eng", "eng/ml"] });
  for (let i = 0; i < 4; i++) {
    await cluster.settle();
    const offers = [...(cluster.master.state?.frameworks.get(eng.id)?.offers ?? [])];
    for (const offer of offers)
      await eng.say({
        accepts: [
          {
            offerIds: [offer.id],
            operations: [
              {
                operationId: "",
                launch: {
                  groups: [
                    aGroup([aTask(`t-${i}-${offer.id}`, { resources: cpu(offer.resources.cpuMillis) })]),
                    aGroup([aTask(`u-${i}-${offer.id}`, { resources: cpu(1) })]),
                  ],
                },
                kind: "launch",
              },
            ],
            filters: { refuseMs: 0 },
          },
        ],
      });
  }
  const { roles } = await cluster.call("Operator.ListRoles", {});
  expect(roles.find(({ role }) => role === "eng")?.allocated?.cpuMillis).toBe(5_000);
  const refused = eng.all("updates").filter(({ reason }) => reason === StatusReason.REASON_TASK_INVALID);
  expect(refused.length).toBeGreaterThan(0);
});

import { resources } from "@muster/foundation";
import { type Claim, TaskState } from "@muster/proto";
import { afterEach, beforeEach, expect, test } from "vitest";
import { aGroup, aTask, Cluster, type FrameworkClient, quiet, until } from "./harness.ts";

let cluster: Cluster;
beforeEach(async () => {
  cluster = await Cluster.start(quiet);
});
afterEach(() => cluster.close());

/** One task of so much on an agent; an agent of the harness has 4,000 milli-CPU. */
function aClaim(taskId: string, agentId: string, cpuMillis: number, more: Partial<Claim> = {}): Claim {
  const group = aGroup([aTask(taskId, { resources: resources({ cpuMillis, memoryMiB: cpuMillis }) })]);
  return {
    claimId: `claim-${taskId}`,
    agentId,
    role: "web",
    operations: [{ operationId: "", launch: { groups: [group] } }],
    setId: "",
    sequenceSeen: 0,
    setSize: 0,
    ...more,
  };
}

const aSet = (id: string, ...claims: Claim[]): Claim[] =>
  claims.map((claim) => ({ ...claim, setId: id, setSize: claims.length }));

/** A framework that wants no offers. */
const aClaimant = (name = "claimant", role = "web"): Promise<FrameworkClient> =>
  cluster.framework(name, { roles: [role], suppressedRoles: [role] });

const resultsOf = (framework: FrameworkClient) =>
  framework.all("claimResults").map(({ claimId, granted, refusal }) => [claimId, granted || refusal?.kind]);

async function recordOf(agentId: string) {
  const { agents } = await cluster.call("Operator.ListAgents", { prefix: "" });
  return agents.find((agent) => agent.agentId === agentId);
}

test("a claim of what nobody holds is launched at once, without an offer", async () => {
  const agent = await cluster.agent("a-1");
  const framework = await aClaimant();
  await framework.say({ claims: [aClaim("t-1", "a-1", 1_000)] });
  expect(resultsOf(framework)).toEqual([["claim-t-1", true]]);
  expect(agent.launchOf("t-1")?.role).toBe("web");
  expect(framework.all("offers")).toEqual([]);
  await agent.report("t-1", TaskState.TASK_RUNNING, 1);
  expect(framework.updatesOf("t-1").map(({ state }) => state)).toEqual([TaskState.TASK_RUNNING]);
  expect((await recordOf("a-1"))?.allocated).toMatchObject({ cpuMillis: 1_000, memoryMiB: 1_000 });
});

test("two groups of one claim may have one fixed port on two addresses of a host, and not on one", async () => {
  const names = ["private", "public"];
  const attributes = names.map((name, index) => ({ name: `host_network.${name}`, value: `10.9.0.${index}` }));
  await cluster.agent("a-1", { attributes });
  const framework = await aClaimant();
  const claim = (claimId: string, ...networks: string[]): Claim => {
    const port = { label: "http", number: 8_080, to: 0, protocol: "" };
    const groups = networks.map((hostNetwork) =>
      aGroup([aTask(`${claimId}-${hostNetwork}`)], { ports: [{ ...port, hostNetwork }] }),
    );
    return aClaim("", "a-1", 0, { claimId, operations: [{ operationId: "", launch: { groups } }] });
  };
  await framework.say({ claims: [claim("clash", "private", "")] });
  await framework.say({ claims: [claim("apart", "private", "public")] });
  expect(resultsOf(framework)).toEqual([
    ["clash", "stale"],
    ["apart", true],
  ]);
});

test("nothing can be claimed of an agent that an operator has deactivated or drains", async () => {
  await cluster.agent("a-1");
  const framework = await aClaimant();
  await cluster.call("Operator.Deactivate", { agentId: "a-1" });
  await framework.say({ claims: [aClaim("t-1", "a-1", 1_000)] });
  await cluster.call("Operator.Reactivate", { agentId: "a-1" });
  await framework.say({ claims: [aClaim("t-2", "a-1", 1_000)] });
  await cluster.call("Operator.Drain", { agentId: "a-1", deadlineMs: 60_000 });
  await framework.say({ claims: [aClaim("t-3", "a-1", 1_000)] });
  expect(resultsOf(framework)).toEqual([
    ["claim-t-1", "stale"],
    ["claim-t-2", true],
    ["claim-t-3", "stale"],
  ]);
});

test("of two claims of one thing the first is granted, and the second learns how far to read on", async () => {
  const agent = await cluster.agent("a-1");
  const [first, second] = [await aClaimant("first"), await aClaimant("second")];
  const watch = await cluster.watch();
  await first.say({ claims: [aClaim("t-1", "a-1", 3_000)] });
  await second.say({ claims: [aClaim("t-2", "a-1", 2_000, { sequenceSeen: watch.received.at(-1)?.sequence ?? 0 })] });
  expect(resultsOf(second)).toEqual([["claim-t-2", "stale"]]);
  expect(second.all("claimResults")[0]?.refusal?.message).toMatch(/needs 2000 milli-CPU of cpu, has 1000/);
  expect(agent.launchOf("t-2")).toBeUndefined();
  const { sequence } = second.all("claimResults")[0] ?? { sequence: 0 };
  // What the feed told up to that number shows the agent as it is.
  await cluster.settle();
  const told = watch.events.filter((event) => event.agent && event.sequence <= sequence).at(-1);
  expect(told?.agent?.allocated).toMatchObject({ cpuMillis: 3_000 });
});

test("a set is granted whole or not at all, and what fails leaves no trace", async () => {
  const agents = [await cluster.agent("a-1"), await cluster.agent("a-2")];
  const framework = await aClaimant();
  await framework.say({ claims: [aClaim("t-0", "a-2", 3_000)] });
  await framework.say({ claims: aSet("gang", aClaim("t-1", "a-1", 2_000), aClaim("t-2", "a-2", 2_000)) });
  expect(resultsOf(framework).slice(1)).toEqual([
    ["claim-t-1", "stale"],
    ["claim-t-2", "stale"],
  ]);
  expect(agents.flatMap((agent) => agent.all("launches"))).toHaveLength(1);
  expect((await recordOf("a-1"))?.allocated).toMatchObject({ cpuMillis: 0 });
  await framework.say({ claims: aSet("gang", aClaim("t-1", "a-1", 2_000), aClaim("t-2", "a-2", 1_000)) });
  expect(resultsOf(framework).slice(3)).toEqual([
    ["claim-t-1", true],
    ["claim-t-2", true],
  ]);
  expect(agents.flatMap((agent) => agent.all("launches"))).toHaveLength(3);
});

test("claims of one set on one agent are added up", async () => {
  await cluster.agent("a-1");
  const framework = await aClaimant();
  await framework.say({ claims: aSet("gang", aClaim("t-1", "a-1", 2_500), aClaim("t-2", "a-1", 2_500)) });
  expect(resultsOf(framework).map(([, kind]) => kind)).toEqual(["stale", "stale"]);
  expect((await recordOf("a-1"))?.allocated).toMatchObject({ cpuMillis: 0 });
});

test("claims without a set are each granted for itself", async () => {
  await cluster.agent("a-1");
  const framework = await aClaimant();
  await framework.say({
    claims: [aClaim("t-1", "a-1", 2_500), aClaim("t-2", "a-1", 2_500), aClaim("t-3", "a-1", 500)],
  });
  expect(resultsOf(framework).map(([, kind]) => kind)).toEqual([true, "stale", true]);
});

test("a set that did not come whole is refused", async () => {
  const agent = await cluster.agent("a-1");
  const framework = await aClaimant();
  await framework.say({ claims: [aClaim("t-1", "a-1", 100, { setId: "gang", setSize: 2 })] });
  expect(framework.all("claimResults")[0]?.refusal).toMatchObject({ kind: "invalid", field: "claims[0].set_size" });
  expect(agent.all("launches")).toEqual([]);
});

test("what is offered to a framework that has more goes to the claim, and the offer is rescinded", async () => {
  await cluster.agent("a-1");
  const holder = await cluster.framework("holder", { roles: ["ops"] });
  const offer = await holder.offer();
  const framework = await aClaimant();
  await framework.say({ claims: [aClaim("t-1", "a-1", 1_000)] });
  expect(resultsOf(framework)).toEqual([["claim-t-1", true]]);
  expect(holder.all("rescinds").map(({ offerId }) => offerId)).toEqual([offer.offerId]);
  // What the claim leaves is offered again.
  expect((await holder.offer()).resources?.cpuMillis).toBe(3_000);
});

test("what is offered to a framework that has less is not taken from it", async () => {
  await cluster.agent("a-1", { resources: resources({ cpuMillis: 4_000, memoryMiB: 4_000 }) });
  const framework = await aClaimant();
  await framework.say({ claims: [aClaim("t-0", "a-1", 3_000)] });
  const holder = await cluster.framework("holder", { roles: ["ops"] });
  const offer = await holder.offer();
  await framework.say({ claims: [aClaim("t-1", "a-1", 500)] });
  expect(framework.all("claimResults")[1]?.refusal).toMatchObject({ kind: "unavailable" });
  expect(framework.all("claimResults")[1]?.refusal?.message).toContain("offered to holder");
  expect(holder.all("rescinds")).toEqual([]);
  await holder.decline([offer], 3_600_000);
  await framework.say({ claims: [aClaim("t-1", "a-1", 500)] });
  expect(resultsOf(framework)[2]).toEqual(["claim-t-1", true]);
});

test("a framework's own offer makes way for its claim", async () => {
  await cluster.agent("a-1");
  const framework = await cluster.framework("services");
  const offer = await framework.offer();
  await framework.say({ claims: [aClaim("t-1", "a-1", 4_000)] });
  expect(resultsOf(framework)).toEqual([["claim-t-1", true]]);
  expect(framework.all("rescinds").map(({ offerId }) => offerId)).toEqual([offer.offerId]);
});

test("an accept that a claim has overtaken is answered for each task", async () => {
  await cluster.agent("a-1");
  const holder = await cluster.framework("holder", { roles: ["ops"] });
  const offer = await holder.offer();
  const framework = await aClaimant();
  await framework.say({ claims: [aClaim("t-1", "a-1", 1_000)] });
  await holder.accept([offer], [aGroup([aTask("t-9")])]);
  expect(holder.updatesOf("t-9").map(({ state }) => state)).toEqual([TaskState.TASK_DROPPED]);
});

test("a claim that is repeated is granted again and starts nothing", async () => {
  const agent = await cluster.agent("a-1");
  const framework = await aClaimant();
  await framework.say({ claims: [aClaim("t-1", "a-1", 3_000)] });
  await framework.say({ claims: [aClaim("t-1", "a-1", 3_000)] });
  expect(resultsOf(framework).map(([, kind]) => kind)).toEqual([true, true]);
  expect(agent.all("launches")).toHaveLength(1);
});

test.each([
  ["an agent that is not there", { agentId: "a-9" }, "not-found", "claims[0].agent_id"],
  ["a role of others", { role: "ops" }, "invalid", "claims[0].role"],
  ["no claim id", { claimId: "" }, "invalid", "claims[0].claim_id"],
  ["nothing to do", { operations: [] }, "invalid", "claims[0].operations"],
  [
    "what is no launch",
    { operations: [{ operationId: "", unreserve: { reservationId: "r" } }] },
    "unsupported",
    "claims[0].operations[0].unreserve",
  ],
] as const)("a claim with %s is refused, naming the field", async (_, more, kind, field) => {
  await cluster.agent("a-1");
  const framework = await aClaimant();
  await framework.say({ claims: [aClaim("t-1", "a-1", 100, more as Partial<Claim>)] });
  expect(framework.all("claimResults")[0]?.refusal).toMatchObject({ kind, field });
});

test("a claim of more than an agent has in all is no conflict but a mistake", async () => {
  await cluster.agent("a-1");
  const framework = await aClaimant();
  await framework.say({ claims: [aClaim("t-1", "a-1", 5_000)] });
  expect(framework.all("claimResults")[0]?.refusal).toMatchObject({
    kind: "invalid",
    field: "claims[0].operations[0].launch.groups[0]",
  });
});

const token = "0123456789abcdef";
const predecessor = { predecessorLaunchId: "launch-t-0", predecessorAddress: "10.0.0.1:5051", predecessorToken: token };

test.each([
  ["predecessor_launch_id", { predecessorLaunchId: "a/b" }],
  ["predecessor_launch_id", { predecessorAddress: "10.0.0.1:5051", predecessorToken: token }],
  ["predecessor_address", { ...predecessor, predecessorAddress: "10.0.0.1" }],
  ["predecessor_address", { predecessorLaunchId: "launch-t-0", predecessorToken: token }],
  ["predecessor_token", { ...predecessor, predecessorToken: "short" }],
  ["predecessor_token", { predecessorLaunchId: "launch-t-0", predecessorAddress: "10.0.0.1:5051" }],
  ["files_token", { filesToken: "x".repeat(256) }],
] as const)("what says whose files a launch takes over is refused, naming %s", async (name, more) => {
  await cluster.agent("a-1");
  const framework = await aClaimant();
  const group = aGroup([aTask("t-1")], more);
  const operations = [{ operationId: "", launch: { groups: [group] } }];
  await framework.say({ claims: [aClaim("t-1", "a-1", 100, { operations })] });
  const field = `claims[0].operations[0].launch.groups[0].${name}`;
  expect(framework.all("claimResults")[0]?.refusal).toMatchObject({ kind: "invalid", field });
});

test("whose files a launch takes over, and the secrets that they are given by, come to the agent as they are", async () => {
  const agent = await cluster.agent("a-1");
  const framework = await aClaimant();
  const group = aGroup([aTask("t-1")], { ...predecessor, filesToken: `${token}x` });
  const operations = [{ operationId: "", launch: { groups: [group] } }];
  await framework.say({ claims: [aClaim("t-1", "a-1", 100, { operations })] });
  expect(agent.all("launches")[0]?.group).toMatchObject({ ...predecessor, filesToken: `${token}x` });
  const { tasks } = await cluster.call("Tasks.List", { includeTerminal: true });
  expect(tasks).toHaveLength(1);
  expect(JSON.stringify(tasks)).not.toContain(token);
});

test("more claims than a message may have are refused, each of them, and another framework is not delayed", async () => {
  await cluster.agent("a-1");
  const framework = await aClaimant();
  const other = await cluster.framework("other", { roles: ["ops"] });
  const claims = Array.from({ length: 5_000 }, (_, n) => aClaim(`t-${n}`, "a-1", 1));
  framework.send({ claims });
  expect((await other.offer()).agentId).toBe("a-1");
  await until(() => framework.all("claimResults").length === 5_000);
  expect(framework.all("claimResults")[4_999]?.refusal).toMatchObject({ kind: "too-many", field: "claims" });
});

test("a claim breaks no limit of its role or of one above, and takes nothing that is kept for a guarantee", async () => {
  await cluster.agent("a-1");
  await cluster.call("Operator.SetQuota", { role: "eng", limit: resources({ cpuMillis: 1_500 }) });
  await cluster.call("Operator.SetQuota", { role: "db", guarantee: resources({ memoryMiB: 3_000 }) });
  const eng = await aClaimant("eng", "eng/ml");
  const claim = (taskId: string, cpuMillis: number) => aClaim(taskId, "a-1", cpuMillis, { role: "eng/ml" });
  await eng.say({ claims: aSet("s-1", claim("t-1", 1_000), claim("t-2", 1_000)) });
  await eng.say({ claims: [claim("t-3", 1_000)] });
  await eng.say({ claims: [claim("t-4", 200)] });
  expect(resultsOf(eng)).toEqual([
    ["claim-t-1", "over-quota"],
    ["claim-t-2", "over-quota"],
    ["claim-t-3", true],
    ["claim-t-4", "over-quota"],
  ]);
  const messages = eng.all("claimResults").map(({ refusal }) => refusal?.message ?? "");
  expect(messages[0]).toContain("limit of eng/ml, or of a role above");
  expect(messages[3]).toContain("kept for guarantees");
});

import { type Resources, resources, revocableCapability, revocableCpu } from "@muster/foundation";
import { StatusReason, TaskState } from "@muster/proto";
import { afterEach, beforeEach, expect, test } from "vitest";
import { type AgentClient, aGroup, aTask, Cluster, type FrameworkClient, quiet } from "./harness.ts";

const neverMs = 1e14;
const firm = { cpuMillis: 1_000, memoryMiB: 1_024, diskMiB: 0, portCount: 0 };
const capable = { capabilities: [revocableCapability] };

let cluster: Cluster;
beforeEach(async () => {
  cluster = await Cluster.start(quiet);
});
afterEach(() => cluster.close());

/** What an agent has that lends so much. */
const lending = (cpuMillis: number): Resources =>
  resources({ ...firm, custom: cpuMillis > 0 ? { [revocableCpu]: cpuMillis } : {} });

async function lends(agent: AgentClient, cpuMillis: number): Promise<void> {
  await agent.say({ update: { resources: lending(cpuMillis), attributes: [], foreignPorts: [], networks: null } });
}

const borrower = (taskId: string, cpuMillis: number) =>
  aTask(taskId, { resources: resources({ memoryMiB: 64, custom: { [revocableCpu]: cpuMillis } }) });

const lastAmounts = (framework: FrameworkClient) => framework.all("offers").at(-1)?.resources;

async function recordOf(agentId: string) {
  const { agents } = await cluster.call("Operator.ListAgents", { prefix: "" });
  return agents.find((agent) => agent.agentId === agentId);
}

test("case 71: only frameworks that can cope see what is lent, and who must give it back ends as preempted", async () => {
  const agent = await cluster.agent("a-1", { resources: lending(0) });
  const plain = await cluster.framework("plain");
  const offer = await plain.offer();
  await lends(agent, 800);
  // What is lent comes beside what is offered already, and is nothing to who can't cope.
  expect(offer.resources?.custom).toEqual({});
  expect(plain.offersLeft).toBe(0);
  await plain.decline([offer], neverMs);

  const coping = await cluster.framework("coping", capable);
  const lent = await coping.offer();
  expect(lent.resources).toMatchObject({ ...firm, custom: { [revocableCpu]: 800 } });
  await coping.accept([lent], [aGroup([borrower("t-1", 600)])], neverMs);
  await agent.report("t-1", TaskState.TASK_RUNNING, 1);
  expect((await recordOf("a-1"))?.allocated).toMatchObject({ cpuMillis: 0, custom: { [revocableCpu]: 600 } });

  // Its owners want it back: less is lent than is used, until the agent has ended the task.
  await lends(agent, 100);
  expect((await cluster.call("Operator.Check", {})).violations).toEqual([]);
  await agent.report("t-1", TaskState.TASK_KILLED, 2, { reason: StatusReason.REASON_PREEMPTED });
  await coping.acknowledge(coping.updatesOf("t-1").at(-2) as never);
  expect(coping.updatesOf("t-1").at(-1)).toMatchObject({
    state: TaskState.TASK_KILLED,
    reason: StatusReason.REASON_PREEMPTED,
  });
  expect((await recordOf("a-1"))?.allocated).toMatchObject({ custom: {} });
});

test("what is lent no more is taken out of offers, and other offers stay", async () => {
  const agent = await cluster.agent("a-1", { resources: lending(500) });
  const coping = await cluster.framework("coping", capable);
  await coping.offer();
  await lends(agent, 200);
  expect(coping.all("rescinds")).toHaveLength(1);
  expect(lastAmounts(coping)?.custom).toEqual({ [revocableCpu]: 200 });
  await cluster.agent("a-2", { resources: lending(0) });
  expect(coping.all("rescinds")).toHaveLength(1);
});

test("who can't cope is refused what is lent, in launches, claims and demands, with the field", async () => {
  await cluster.agent("a-1", { resources: lending(500) });
  const plain = await cluster.framework("plain");
  const offer = await plain.offer();
  await plain.accept([offer], [aGroup([borrower("t-1", 100)])], neverMs);
  expect(plain.updatesOf("t-1")[0]).toMatchObject({ state: TaskState.TASK_ERROR });
  expect(plain.updatesOf("t-1")[0]?.message).toContain('capability "revocable-resources"');
  const claim = { claimId: "c", agentId: "a-1", role: "web", setId: "", sequenceSeen: 0, setSize: 0 };
  const launch = { groups: [aGroup([borrower("t-2", 100)])] };
  await plain.say({ claims: [{ ...claim, operations: [{ operationId: "", launch }] }] });
  expect(plain.all("claimResults")[0]?.refusal).toMatchObject({
    kind: "invalid",
    field: 'claims[0].operations[0].launch.groups[0].tasks[0].resources.custom["revocable-cpu"]',
  });
  const wanted = resources({ memoryMiB: 64, custom: { [revocableCpu]: 100 } });
  const demand = { role: "web", demandId: "d", count: 1, resources: wanted, constraints: [], agentIds: [] };
  await plain.say({ demands: [demand as never] });
  expect(plain.all("refusals").at(-1)?.refusal?.field).toBe('demands[0].resources.custom["revocable-cpu"]');
});

test("firm and lent processor are not mixed in one task, and nobody is promised what is lent", async () => {
  await cluster.agent("a-1", { resources: lending(500) });
  const coping = await cluster.framework("coping", capable);
  const offer = await coping.offer();
  const mixed = aTask("t-1", { resources: resources({ cpuMillis: 100, custom: { [revocableCpu]: 100 } }) });
  await coping.accept([offer], [aGroup([mixed])], neverMs);
  expect(coping.updatesOf("t-1")[0]).toMatchObject({ state: TaskState.TASK_ERROR });
  expect(coping.updatesOf("t-1")[0]?.message).toContain("can't be mixed");
  const guarantee = resources({ custom: { [revocableCpu]: 100 } });
  const promised = cluster.call("Operator.SetQuota", { role: "web", guarantee, force: true });
  await expect(promised).rejects.toMatchObject({ kind: "invalid", field: 'guarantee.custom["revocable-cpu"]' });
});

test("what agents lend is part of nobody's share of the cluster", async () => {
  await cluster.agent("a-1", { resources: lending(0) });
  const total = () => cluster.master.state?.allocator.total;
  const before = total();
  const agent = await cluster.agent("a-2", { resources: lending(700) });
  await lends(agent, 300);
  expect(total()).toEqual({ ...before, cpuMillis: 2_000, memoryMiB: 2_048, custom: {} });
});

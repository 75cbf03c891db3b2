import { MusterError } from "@muster/foundation";
import { AgentStanding, StatusReason, TaskState } from "@muster/proto";
import { afterEach, beforeEach, expect, test } from "vitest";
import { Cluster, runningTask, until } from "./harness.ts";

const { TASK_RUNNING, TASK_KILLED, TASK_GONE, TASK_UNREACHABLE } = TaskState;
const { REASON_AGENT_GONE, REASON_AGENT_DRAINING } = StatusReason;

let cluster: Cluster;
beforeEach(async () => {
  cluster = await Cluster.start({ offerTimeoutMs: 1e14 });
});
afterEach(() => cluster.close());

async function recordOf(agentId: string) {
  const { agents } = await cluster.call("Operator.ListAgents", { prefix: agentId });
  return agents[0];
}

const affected = { frameworks: [expect.objectContaining({ name: "services", taskCount: 1 })] };

test("case 61: a deactivated agent loses its offers and keeps its tasks, under the next leader too, until it is reactivated", async () => {
  const { agent, framework } = await runningTask(cluster, "t-1");
  const left = await framework.offer();
  const tried = await cluster.call("Operator.Deactivate", { agentId: "a-1", dryRun: true });
  expect(tried.affected).toMatchObject({ ...affected, offerCount: 1 });
  expect(framework.all("rescinds")).toEqual([]);
  await cluster.call("Operator.Deactivate", { agentId: "a-1" });
  await cluster.settle();
  expect(framework.all("rescinds").map(({ offerId }) => offerId)).toEqual([left.offerId]);
  await framework.say({ revives: [{ roles: [] }] });
  expect(framework.offersLeft).toBe(0);
  expect(framework.updatesOf("t-1").at(-1)?.state).toBe(TASK_RUNNING);
  expect(await recordOf("a-1")).toMatchObject({ standing: AgentStanding.AGENT_STANDING_DEACTIVATED, taskCount: 1 });
  cluster = await cluster.failOver();
  const running1 = agent.reportOf(agent.statusOf("t-1", TASK_RUNNING, 1), true);
  await cluster.agent("a-1", {}, [running1]);
  const again = await cluster.framework("services", { frameworkId: framework.id });
  await cluster.settle();
  expect(again.offersLeft).toBe(0);
  await cluster.call("Operator.Reactivate", { agentId: "a-1" });
  expect((await again.offer()).agentId).toBe("a-1");
});

test("a decision that the store does not take is refused, and changes nothing", async () => {
  const { framework } = await runningTask(cluster, "t-1");
  await framework.offer();
  cluster.storeFault = new MusterError("unavailable", "the disk is away");
  await expect(cluster.call("Operator.Deactivate", { agentId: "a-1" })).rejects.toMatchObject({ kind: "unavailable" });
  await expect(cluster.call("Operator.MarkGone", { agentId: "a-1" })).rejects.toMatchObject({ kind: "unavailable" });
  expect(framework.all("rescinds")).toEqual([]);
  expect(framework.updatesOf("t-1").at(-1)?.state).toBe(TASK_RUNNING);
});

test("an agent that nobody knows can be neither deactivated, drained nor marked as gone", async () => {
  for (const method of ["Operator.Deactivate", "Operator.Drain", "Operator.MarkGone", "Operator.Reactivate"] as const)
    await expect(cluster.call(method, { agentId: "a-9" })).rejects.toMatchObject({
      kind: "not-found",
      field: "agent_id",
    });
});

test("case 59: tasks of an agent marked as gone are gone by the operator's word; it is refused for ever, by the next leader too", async () => {
  const { agent, framework } = await runningTask(cluster, "t-1");
  expect((await cluster.call("Operator.MarkGone", { agentId: "a-1", dryRun: true })).affected).toMatchObject(affected);
  await cluster.call("Operator.MarkGone", { agentId: "a-1" });
  await until(() => agent.ended !== undefined);
  await until(() => framework.all("agentsLost").length > 0);
  expect(framework.updatesOf("t-1").at(-1)).toMatchObject({ state: TASK_GONE, reason: REASON_AGENT_GONE });
  expect(framework.all("agentsLost")).toEqual([expect.objectContaining({ agentId: "a-1", gone: true })]);
  expect(agent.received.at(-1)?.shutDown).not.toBeNull();
  const refused = await cluster.agent("a-1");
  expect(refused.isRegistered).toBe(false);
  expect(refused.ended).toMatchObject({ kind: "wrong-state" });
  // Nothing that was under way when it went brings it back into the registry.
  await cluster.advance(120_000);
  expect(cluster.data.entries.has("agents/a-1")).toBe(false);
  cluster = await cluster.failOver();
  expect(cluster.master.state?.awaited.size).toBe(0);
  expect((await cluster.agent("a-1")).ended).toMatchObject({ kind: "wrong-state" });
  const again = await cluster.framework("services", { frameworkId: framework.id });
  await again.say({ reconciles: [{ reconcileId: "r", tasks: [{ taskId: "t-1", agentId: "a-1" }] }] });
  expect(again.updatesOf("t-1").at(-1)).toMatchObject({ state: TASK_GONE });
});

test("case 59: an unreachable agent can be marked as gone", async () => {
  const { agent, framework } = await runningTask(cluster, "t-1");
  await agent.drop();
  await cluster.advance(75_000);
  expect(framework.updatesOf("t-1").at(-1)?.state).toBe(TASK_UNREACHABLE);
  await cluster.call("Operator.MarkGone", { agentId: "a-1" });
  await until(() => framework.updatesOf("t-1").at(-1)?.state === TASK_GONE);
  expect((await cluster.call("Operator.ListAgents", { prefix: "" })).agents).toEqual([]);
});

test("an agent that was marked as gone is not awaited by a leader that finds it in the registry all the same", async () => {
  await runningTask(cluster, "t-1");
  const entry = cluster.data.entries.get("agents/a-1");
  if (entry === undefined) throw new Error("the registry does not have the agent");
  await cluster.call("Operator.MarkGone", { agentId: "a-1" });
  await until(() => !cluster.data.entries.has("agents/a-1"));
  // As if its leader had died after the decision.
  cluster.data.entries.set("agents/a-1", entry);
  cluster = await cluster.failOver();
  expect(cluster.master.state?.awaited.size).toBe(0);
  expect((await cluster.call("Operator.ListAgents", { prefix: "" })).agents).toEqual([]);
  await until(() => !cluster.data.entries.has("agents/a-1"));
});

test("case 60: a drain ends what is left at its deadline with a capped grace, and is over with the last acknowledgement", async () => {
  const { agent, framework } = await runningTask(cluster, "t-1");
  await framework.offer();
  await cluster.call("Operator.Drain", { agentId: "a-1", deadlineMs: 30_000, graceMsMax: 5_000 });
  await cluster.settle();
  expect(framework.all("rescinds")).toHaveLength(1);
  await cluster.advance(29_999);
  expect(agent.all("kills")).toEqual([]);
  expect(await recordOf("a-1")).toMatchObject({
    standing: AgentStanding.AGENT_STANDING_DRAINING,
    drain: { tasksLeft: 1, forced: false, frameworkIdsPending: [framework.id] },
  });
  await cluster.advance(1);
  expect(agent.all("kills")).toEqual([
    expect.objectContaining({ taskId: "t-1", graceMs: 5_000, reason: REASON_AGENT_DRAINING }),
  ]);
  const end = await agent.report("t-1", TASK_KILLED, 2, { reason: REASON_AGENT_DRAINING });
  expect(framework.updatesOf("t-1").at(-1)).toMatchObject({ state: TASK_KILLED, reason: REASON_AGENT_DRAINING });
  expect(await recordOf("a-1")).toMatchObject({ drain: { tasksLeft: 0, endsUnacknowledged: 1, forced: true } });
  await framework.acknowledge(end);
  await cluster.settle();
  expect(await recordOf("a-1")).toMatchObject({ standing: AgentStanding.AGENT_STANDING_DRAINED, drain: null });
  expect(framework.offersLeft).toBe(0);
});

test("case 60: a drain goes on under the next leader, and an agent that was away at the deadline hears of it", async () => {
  const { agent, framework } = await runningTask(cluster, "t-1");
  await cluster.call("Operator.Drain", { agentId: "a-1", deadlineMs: 30_000 });
  await cluster.advance(20_000);
  const report = agent.reportOf(agent.statusOf("t-1", TASK_RUNNING, 1), true);
  cluster = await cluster.failOver();
  const again = await cluster.framework("services", { frameworkId: framework.id });
  expect((await recordOf("a-1"))?.standing).toBe(AgentStanding.AGENT_STANDING_DRAINING);
  await cluster.advance(10_000);
  // Nobody knows yet what runs there: it is not drained.
  expect((await recordOf("a-1"))?.standing).toBe(AgentStanding.AGENT_STANDING_DRAINING);
  const back = await cluster.agent("a-1", {}, [report]);
  await cluster.settle();
  expect(back.all("kills")).toEqual([expect.objectContaining({ taskId: "t-1", reason: REASON_AGENT_DRAINING })]);
  const end = { ...agent.statusOf("t-1", TASK_KILLED, 2, { reason: REASON_AGENT_DRAINING }), updateId: "u-2" };
  await back.say({ statuses: [end] });
  await again.acknowledge(end);
  await cluster.settle();
  expect((await recordOf("a-1"))?.standing).toBe(AgentStanding.AGENT_STANDING_DRAINED);
});

test("case 60: a drain that is to mark the agent as gone does so as soon as it is empty", async () => {
  const { agent, framework } = await runningTask(cluster, "t-1");
  await cluster.call("Operator.Drain", { agentId: "a-1", deadlineMs: 0, markGone: true });
  await cluster.advance(1);
  const end = await agent.report("t-1", TASK_KILLED, 2, { reason: REASON_AGENT_DRAINING });
  expect(agent.ended).toBeUndefined();
  await framework.acknowledge(end);
  await until(() => agent.ended !== undefined);
  expect(agent.received.at(-1)?.shutDown).not.toBeNull();
  expect((await cluster.agent("a-1")).ended).toMatchObject({ kind: "wrong-state" });
});

test("a drain is called off by reactivation, and refused without bounds", async () => {
  const { agent, framework } = await runningTask(cluster, "t-1");
  const tooLong = { agentId: "a-1", deadlineMs: 31 * 24 * 3_600_000 };
  await expect(cluster.call("Operator.Drain", tooLong)).rejects.toMatchObject({
    kind: "invalid",
    field: "deadline_ms",
  });
  await framework.offer();
  await cluster.call("Operator.Drain", { agentId: "a-1", deadlineMs: 30_000 });
  await expect(cluster.call("Operator.Deactivate", { agentId: "a-1" })).rejects.toMatchObject({ kind: "wrong-state" });
  await cluster.call("Operator.Reactivate", { agentId: "a-1" });
  await framework.offer();
  await cluster.advance(60_000);
  expect(agent.all("kills")).toEqual([]);
});

test("a framework that is torn down loses its session, its tasks and its id, though the store may be away for a while", async () => {
  const { agent, framework } = await runningTask(cluster, "t-1");
  expect(
    (await cluster.call("Operator.TeardownFramework", { frameworkId: framework.id, dryRun: true })).affected,
  ).toMatchObject(affected);
  cluster.storeFault = new MusterError("unavailable", "the disk is away");
  const failed = cluster.call("Operator.TeardownFramework", { frameworkId: framework.id });
  await expect(failed).rejects.toMatchObject({ kind: "unavailable" });
  expect(framework.ended).toBeUndefined();
  cluster.storeFault = undefined;
  await cluster.call("Operator.TeardownFramework", { frameworkId: framework.id });
  await until(() => framework.ended !== undefined);
  expect(framework.ended).toMatchObject({ kind: "wrong-state" });
  await until(() => agent.all("frameworksRemoved").length > 0);
  expect(agent.all("frameworksRemoved")).toEqual([framework.id]);
  await agent.report("t-1", TASK_KILLED, 2, { reason: StatusReason.REASON_FRAMEWORK_REMOVED });
  expect((await cluster.call("Operator.ListFrameworks", {})).frameworks).toEqual([]);
  cluster = await cluster.failOver();
  const again = await cluster.framework("services", { frameworkId: framework.id });
  expect(again.ended).toMatchObject({ kind: "wrong-state", field: "subscription.framework_id" });
  await cluster.call("Operator.TeardownFramework", { frameworkId: framework.id });
  await expect(cluster.call("Operator.TeardownFramework", { frameworkId: "f-9" })).rejects.toMatchObject({
    kind: "not-found",
  });
});

test("a framework may end itself for ever, as soon as the store can be told", async () => {
  const { agent, framework } = await runningTask(cluster, "t-1");
  cluster.storeFault = new MusterError("unavailable", "the disk is away");
  await framework.say({ teardown: {} });
  expect(framework.all("refusals")).toEqual([expect.objectContaining({ call: "teardown", subjectId: framework.id })]);
  expect(framework.ended).toBeUndefined();
  cluster.storeFault = undefined;
  await framework.say({ teardown: {} });
  await until(() => framework.ended !== undefined);
  expect(framework.ended).toMatchObject({ kind: "wrong-state", field: "subscription.framework_id" });
  await until(() => agent.all("frameworksRemoved").length > 0);
  const again = await cluster.framework("services", { frameworkId: framework.id });
  expect(again.ended).toMatchObject({ kind: "wrong-state" });
});

test("an agent that leaves in good order is not written into the registry again when its time would have passed", async () => {
  const agent = await cluster.agent("a-1");
  await agent.say({ leaving: true });
  await cluster.advance(120_000);
  expect(cluster.data.entries.has("agents/a-1")).toBe(false);
});

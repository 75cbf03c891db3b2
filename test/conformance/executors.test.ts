import { emptyMessage, resources } from "@muster/foundation";
import { type ExecutorInfo, StatusReason, type TaskGroup, TaskState } from "@muster/proto";
import { afterEach, beforeEach, expect, test } from "vitest";
import { aGroup, aTask, Cluster, type FrameworkClient } from "./harness.ts";

const { TASK_RUNNING, TASK_FAILED, TASK_DROPPED, TASK_ERROR } = TaskState;

let cluster: Cluster;
beforeEach(async () => {
  cluster = await Cluster.start();
});
afterEach(() => cluster.close());

function executor(more: Partial<ExecutorInfo> = {}): ExecutorInfo {
  const task = aTask("self", { resources: resources({ cpuMillis: 200, memoryMiB: 64 }) });
  return { ...emptyMessage("ExecutorInfo"), executorId: "x", task, ...more };
}

function given(taskId: string, more: Partial<ExecutorInfo> = {}): TaskGroup {
  return aGroup([aTask(taskId)], { executor: executor(more) });
}

async function accept(framework: FrameworkClient, ...groups: TaskGroup[]): Promise<void> {
  const offers = [await framework.offer()];
  while (framework.offersLeft > 0) offers.push(await framework.offer());
  await framework.accept(offers, groups, 0);
  await cluster.advance(100);
}

const allocated = async () => (await cluster.call("Operator.ListAgents", {})).agents[0]?.allocated;
const mib = (count: number) => ({ memoryMiB: count });

test("the first group that names an executor starts it, the next ones find it, and it is booked once", async () => {
  const agent = await cluster.agent("a-1");
  const framework = await cluster.framework("own");
  await accept(framework, given("t-1"), given("t-2"));
  await accept(framework, given("t-3"));
  const groups = agent.all("launches").map(({ group }) => group);
  expect(groups.map((group) => group?.launchId)).toEqual([
    "launch-t-1.executor",
    "launch-t-1",
    "launch-t-2",
    "launch-t-3",
  ]);
  expect(groups.map((group) => group?.isExecutor)).toEqual([true, false, false, false]);
  expect(groups[0]).toMatchObject({ executor: { executorId: "x" }, tasks: [{ taskId: "self" }] });
  expect(await allocated()).toMatchObject(mib(64 + 3 * 256));
});

test("an executor that has ended is started anew, one that is not there and can't be is a reason to drop", async () => {
  const agent = await cluster.agent("a-1");
  const framework = await cluster.framework("own");
  await accept(framework, given("t-1"));
  await framework.acknowledge(await agent.report("self", TASK_FAILED, 1));
  await accept(framework, given("t-2", { task: null }));
  expect(framework.updatesOf("t-2")).toMatchObject([
    { state: TASK_DROPPED, reason: StatusReason.REASON_EXECUTOR_TERMINATED },
  ]);
  await accept(framework, given("t-3"));
  expect(agent.all("launches").map(({ group }) => group?.launchId)).toEqual([
    "launch-t-1.executor",
    "launch-t-1",
    "launch-t-3.executor",
    "launch-t-3",
  ]);
});

test("executor and group start together or not at all", async () => {
  const agent = await cluster.agent("a-1");
  const framework = await cluster.framework("own");
  const huge = aTask("huge", { resources: resources({ cpuMillis: 99_000 }) });
  await accept(framework, aGroup([huge], { executor: executor() }));
  await accept(framework, given("t-1", { task: huge }));
  await accept(framework, given("t-2", { executorId: "a/b" }));
  await accept(framework, { ...given("t-3"), networkMode: "bridge" });
  expect(agent.all("launches")).toEqual([]);
  const told = (taskId: string) => framework.updatesOf(taskId).map(({ state, message }) => [state, message]);
  expect(told("huge")).toEqual([[TASK_ERROR, expect.stringContaining("of cpu")]]);
  expect(told("t-1")).toEqual([[TASK_ERROR, expect.stringContaining("groups[0].executor: needs 99000 milli-CPU")]]);
  expect(told("t-2")).toEqual([[TASK_ERROR, expect.stringContaining("executor.executor_id")]]);
  expect(told("t-3")).toEqual([[TASK_ERROR, expect.stringContaining("network_mode: must be empty")]]);
  expect(await allocated()).toMatchObject(mib(0));
});

test("bytes pass between framework and executor, and what can't be passed on is refused by name", async () => {
  const agent = await cluster.agent("a-1");
  const framework = await cluster.framework("own");
  await accept(framework, given("t-1"));
  const data = Buffer.from("hello");
  await framework.say({ executorMessages: [{ agentId: "a-1", executorId: "x", data }] });
  expect(agent.all("executorMessages")).toMatchObject([{ frameworkId: framework.id, executorId: "x" }]);
  await agent.say({ executorMessages: [{ frameworkId: framework.id, executorId: "x", data }] });
  expect(framework.all("executorMessages")).toMatchObject([{ agentId: "a-1", executorId: "x" }]);

  const refused = async (agentId: string, executorId: string, size: number) => {
    const before = framework.all("refusals").length;
    await framework.say({ executorMessages: [{ agentId, executorId, data: Buffer.alloc(size) }] });
    return framework.all("refusals").slice(before);
  };
  expect(await refused("a-1", "y", 1)).toMatchObject([
    { subjectId: "y", refusal: { kind: "not-found", field: "executor_messages[0].executor_id" } },
  ]);
  expect(await refused("a-9", "x", 1)).toMatchObject([
    { refusal: { kind: "not-found", field: "executor_messages[0].agent_id" } },
  ]);
  expect(await refused("a-1", "x", 64 * 1024 + 1)).toMatchObject([
    { refusal: { kind: "invalid", field: "executor_messages[0].data" } },
  ]);
  await agent.drop();
  expect(await refused("a-1", "x", 1)).toMatchObject([{ refusal: { kind: "unavailable" } }]);
});

test("the shutdown of an executor is the end of its task, and is told again to an agent that comes back", async () => {
  const agent = await cluster.agent("a-1");
  const framework = await cluster.framework("own");
  await accept(framework, given("t-1"));
  const running = await agent.report("self", TASK_RUNNING, 1);
  await agent.drop();
  await framework.say({ executorShutdowns: [{ agentId: "a-1", executorId: "x" }] });
  const back = await cluster.agent("a-1", {}, [agent.reportOf(running)]);
  await cluster.settle();
  expect(back.all("kills")).toMatchObject([{ frameworkId: framework.id, taskId: "self" }]);
});

test("a new leader learns from agents which executors live", async () => {
  const agent = await cluster.agent("a-1");
  const framework = await cluster.framework("own");
  await accept(framework, given("t-1"));
  const reports = [
    agent.reportOf(await agent.report("self", TASK_RUNNING, 1)),
    agent.reportOf(await agent.report("t-1", TASK_RUNNING, 1)),
  ];
  const { id } = framework;
  cluster = await cluster.failOver();
  const back = await cluster.agent("a-1", {}, reports);
  const again = await cluster.framework("own", { frameworkId: id });
  await accept(again, given("t-2"));
  expect(back.all("launches").map(({ group }) => group?.launchId)).toEqual(["launch-t-2"]);
  expect(await allocated()).toMatchObject(mib(64 + 2 * 256));
});

import { resources } from "@muster/foundation";
import { StatusReason, type TaskInfo, TaskState } from "@muster/proto";
import { afterEach, beforeEach, expect, test } from "vitest";
import { aGroup, aTask, Cluster } from "./harness.ts";

const { TASK_STAGING, TASK_STARTING, TASK_RUNNING, TASK_FINISHED, TASK_FAILED, TASK_KILLED, TASK_ERROR } = TaskState;

let cluster: Cluster;
beforeEach(async () => {
  cluster = await Cluster.start();
});
afterEach(() => cluster.close());

test("case 31: a launch is seen as STAGING at once, RUNNING comes with id and address, its resources are in use", async () => {
  const agent = await cluster.agent("a-1");
  const framework = await cluster.framework("services");
  await framework.accept([await framework.offer()], [aGroup([aTask("t-1")])]);
  const { tasks } = await cluster.call("Tasks.List", {});
  expect(tasks).toMatchObject([{ taskId: "t-1", agentId: "a-1", role: "web", status: { state: TASK_STAGING } }]);
  const container = { pid: 7, ips: ["10.1.0.2"], ports: [], networks: [] };
  await agent.report("t-1", TASK_RUNNING, 1, { container });
  expect(framework.updatesOf("t-1")).toMatchObject([
    { state: TASK_RUNNING, updateId: "t-1-1", container: { ips: ["10.1.0.2"] } },
  ]);
  const { agents } = await cluster.call("Operator.ListAgents", {});
  expect(agents[0]).toMatchObject({ taskCount: 1, allocated: { cpuMillis: 500, memoryMiB: 256 } });
});

test("case 32: an invalid task is an error that names its cause, while its neighbours start", async () => {
  const agent = await cluster.agent("a-1");
  const framework = await cluster.framework("services");
  const faulty: [TaskInfo, string][] = [
    [aTask("big", { resources: resources({ cpuMillis: 99_000 }) }), "needs 99000 milli-CPU of cpu"],
    [aTask("none", { resources: resources({}) }), "groups[1].tasks[0].resources: must ask for something"],
    [aTask("a/b"), "groups[2].tasks[0].task_id"],
    [aTask("ports", { resources: resources({ cpuMillis: 1, portCount: 1 }) }), "port_count: must be 0"],
    [
      aTask("endpoint", {
        discovery: { endpoints: [{ name: "web", portLabel: "http", protocol: "", tags: [], meta: {} }] },
      }),
      '"http" is no port of the group',
    ],
  ];
  const groups = [...faulty.map(([task]) => aGroup([task], { launchId: "launch" })), aGroup([aTask("good")])];
  await framework.accept([await framework.offer()], groups);
  for (const [task, cause] of faulty)
    expect(framework.updatesOf(task.taskId)).toMatchObject([
      { state: TASK_ERROR, reason: StatusReason.REASON_TASK_INVALID, message: expect.stringContaining(cause) },
    ]);
  expect(agent.all("launches").map(({ group }) => group?.launchId)).toEqual(["launch-good"]);
});

test("case 33: the id of a task that lives or is unreachable is refused; that of an acknowledged one is free", async () => {
  const agent = await cluster.agent("a-1");
  const framework = await cluster.framework("services");
  await framework.accept([await framework.offer()], [aGroup([aTask("t-1")])], 0);
  await cluster.advance(100);
  await framework.accept([await framework.offer()], [aGroup([aTask("t-1")], { launchId: "second" })], 0);
  expect(framework.updatesOf("t-1")).toMatchObject([
    { state: TASK_ERROR, reason: StatusReason.REASON_DUPLICATE_TASK, launchId: "second" },
  ]);
  await framework.acknowledge(await agent.report("t-1", TASK_FINISHED, 1));
  await cluster.advance(100);
  await framework.accept([await framework.offer()], [aGroup([aTask("t-1")], { launchId: "third" })]);
  expect(agent.all("launches").map(({ group }) => group?.launchId)).toEqual(["launch-t-1", "third"]);
});

test("case 33: the id of an unreachable task is refused", async () => {
  const lost = await cluster.agent("a-1");
  const framework = await cluster.framework("services");
  await framework.accept([await framework.offer()], [aGroup([aTask("t-1")])]);
  await lost.report("t-1", TASK_RUNNING, 1);
  await lost.drop();
  await cluster.advance(75_000);
  expect(framework.updatesOf("t-1").at(-1)?.state).toBe(TaskState.TASK_UNREACHABLE);
  const other = await cluster.agent("a-2");
  await framework.accept([await framework.offer()], [aGroup([aTask("t-1")], { launchId: "second" })]);
  expect(framework.updatesOf("t-1").at(-1)).toMatchObject({ state: TASK_ERROR, launchId: "second" });
  expect(other.all("launches")).toEqual([]);
});

test("case 34: one invalid member makes the whole group an error, and nothing starts", async () => {
  const agent = await cluster.agent("a-1");
  const framework = await cluster.framework("services");
  const group = aGroup([aTask("good"), aTask("bad", { resources: null })]);
  await framework.accept([await framework.offer()], [group]);
  for (const id of ["good", "bad"])
    expect(framework.updatesOf(id)).toMatchObject([
      { state: TASK_ERROR, reason: StatusReason.REASON_TASK_GROUP_INVALID },
    ]);
  expect(agent.all("launches")).toEqual([]);
});

test("case 36: a kill that meets its launch on the way reaches the agent after it, in one message", async () => {
  const agent = await cluster.agent("a-1");
  const framework = await cluster.framework("services");
  const offer = await framework.offer();
  framework.send({
    accepts: [
      {
        offerIds: [offer.offerId],
        operations: [{ operationId: "", launch: { groups: [aGroup([aTask("t-1")])] }, kind: "launch" }],
        filters: null,
      },
    ],
  });
  await framework.say({ kills: [{ taskId: "t-1", agentId: "" }] });
  const order = agent.received.flatMap((message) => [
    ...message.launches.map(() => "launch"),
    ...message.kills.map(() => "kill"),
  ]);
  expect(order).toEqual(["launch", "kill"]);
  const reason = StatusReason.REASON_KILLED_DURING_LAUNCH;
  await agent.report("t-1", TASK_KILLED, 1, { reason });
  expect(framework.updatesOf("t-1")).toMatchObject([{ state: TASK_KILLED, reason }]);
});

test("case 38: a kill of an unknown task gets the answer of a question", async () => {
  await cluster.agent("a-1");
  const framework = await cluster.framework("services");
  await framework.say({ kills: [{ taskId: "nobody", agentId: "" }] });
  expect(framework.updatesOf("nobody")).toMatchObject([
    { state: TaskState.TASK_UNKNOWN, reason: StatusReason.REASON_RECONCILIATION, updateId: "" },
  ]);
});

test("case 39: a kill while the agent is cut off is delivered when it is back", async () => {
  const agent = await cluster.agent("a-1");
  const framework = await cluster.framework("services");
  await framework.accept([await framework.offer()], [aGroup([aTask("t-1")])]);
  const running = await agent.report("t-1", TASK_RUNNING, 1);
  await agent.drop();
  await framework.say({ kills: [{ taskId: "t-1", agentId: "a-1", graceMs: 500 }] });
  const back = await cluster.agent("a-1", {}, [agent.reportOf(running)]);
  expect(back.all("kills")).toMatchObject([{ taskId: "t-1", frameworkId: framework.id, graceMs: 500 }]);
});

test("news is passed on in the order in which the agent tells it", async () => {
  const agent = await cluster.agent("a-1");
  const framework = await cluster.framework("services");
  await framework.accept([await framework.offer()], [aGroup([aTask("t-1")])]);
  const running = await agent.report("t-1", TASK_RUNNING, 1);
  // The agent holds FINISHED back until RUNNING is acknowledged.
  expect(agent.all("acknowledgements")).toEqual([]);
  await framework.acknowledge(running);
  expect(agent.all("acknowledgements")).toMatchObject([{ updateId: running.updateId }]);
  await agent.report("t-1", TASK_FINISHED, 2);
  expect(framework.updatesOf("t-1").map((status) => status.state)).toEqual([TASK_RUNNING, TASK_FINISHED]);
});

test("case 47: an acknowledgement that fits nothing, or comes twice, does not reach the agent", async () => {
  const agent = await cluster.agent("a-1");
  const framework = await cluster.framework("services");
  await framework.accept([await framework.offer()], [aGroup([aTask("t-1")])]);
  const running = await agent.report("t-1", TASK_RUNNING, 1);
  await framework.acknowledge({ ...running, updateId: "foreign" });
  expect(agent.all("acknowledgements")).toEqual([]);
  await framework.acknowledge(running);
  await framework.acknowledge(running);
  expect(agent.all("acknowledgements")).toHaveLength(1);
});

test("case 48: a task whose end is acknowledged leaves the living and is found in the history", async () => {
  const agent = await cluster.agent("a-1");
  const framework = await cluster.framework("services");
  await framework.accept([await framework.offer()], [aGroup([aTask("t-1")])]);
  await framework.acknowledge(await agent.report("t-1", TASK_FAILED, 1));
  expect((await cluster.call("Tasks.List", {})).tasks).toEqual([]);
  const { tasks } = await cluster.call("Tasks.List", { includeTerminal: true });
  expect(tasks).toMatchObject([{ taskId: "t-1", status: { state: TASK_FAILED } }]);
  const { agents } = await cluster.call("Operator.ListAgents", {});
  expect(agents[0]).toMatchObject({ taskCount: 0, allocated: { cpuMillis: 0, memoryMiB: 0 } });
});

test("case 49: a framework that was away gets what it has not acknowledged as soon as it is back", async () => {
  const agent = await cluster.agent("a-1");
  const framework = await cluster.framework("services");
  await framework.accept([await framework.offer()], [aGroup([aTask("t-1")])]);
  await framework.drop();
  const end = await agent.report("t-1", TASK_FINISHED, 1);
  const back = await cluster.framework("services", { frameworkId: framework.id });
  await cluster.settle();
  expect(back.updatesOf("t-1")).toMatchObject([{ state: TASK_FINISHED, updateId: end.updateId }]);
  await back.acknowledge(end);
  expect(agent.all("acknowledgements")).toMatchObject([{ updateId: end.updateId }]);
});

test("case 50: a question about nothing in particular is answered for each living task, then ended", async () => {
  const agent = await cluster.agent("a-1");
  const framework = await cluster.framework("services");
  await framework.accept([await framework.offer()], [aGroup([aTask("t-1")]), aGroup([aTask("t-2")])]);
  await agent.report("t-1", TASK_STARTING, 1);
  await framework.say({ reconciles: [{ reconcileId: "r-1", tasks: [] }] });
  const answers = framework.all("updates").filter((one) => one.reason === StatusReason.REASON_RECONCILIATION);
  expect(answers.map(({ taskId, state, updateId }) => [taskId, state, updateId])).toEqual([
    ["t-1", TASK_STARTING, ""],
    ["t-2", TASK_STAGING, ""],
  ]);
  expect(framework.all("reconciled")).toMatchObject([{ reconcileId: "r-1", complete: true, inDoubt: [] }]);
});

test("case 51: each situation has its own answer", async () => {
  const agent = await cluster.agent("a-1");
  const lost = await cluster.agent("a-2");
  const framework = await cluster.framework("services");
  const offers = [await framework.offer(), await framework.offer()];
  for (const offer of offers) await framework.accept([offer], [aGroup([aTask(`on-${offer.agentId}`)])]);
  await agent.report("on-a-1", TASK_RUNNING, 1);
  await lost.drop();
  await cluster.advance(75_000);
  const ask = (taskId: string, agentId: string) => ({ taskId, agentId });
  const questions = [
    ask("on-a-1", "a-1"),
    ask("x", "a-1"),
    ask("on-a-2", "a-2"),
    ask("y", "a-2"),
    ask("z", "nobody"),
    ask("q", ""),
  ];
  const before = framework.all("updates").length;
  await framework.say({ reconciles: [{ reconcileId: "r", tasks: questions }] });
  const answers = framework.all("updates").slice(before);
  expect(answers.map(({ taskId, state }) => [taskId, state])).toEqual([
    ["on-a-1", TASK_RUNNING],
    ["x", TaskState.TASK_GONE],
    ["on-a-2", TaskState.TASK_UNREACHABLE],
    ["y", TaskState.TASK_UNREACHABLE],
    ["z", TaskState.TASK_UNKNOWN],
    ["q", TaskState.TASK_UNKNOWN],
  ]);
  expect(framework.all("reconciled")).toMatchObject([{ complete: true }]);
});

test("case 52: after an election a task of an agent that is not back is in doubt, until it is back or the bound has passed", async () => {
  const agent = await cluster.agent("a-1");
  await cluster.agent("a-2");
  const framework = await cluster.framework("services");
  const offers = [await framework.offer(), await framework.offer()];
  for (const offer of offers) await framework.accept([offer], [aGroup([aTask(`on-${offer.agentId}`)])]);
  const running = await agent.report("on-a-1", TASK_RUNNING, 1);
  cluster = await cluster.failOver();
  const back = await cluster.framework("services", { frameworkId: framework.id });
  expect(back.received[0]?.subscribed?.agentsAwaited.sort()).toEqual(["a-1", "a-2"]);
  const tasks = ["a-1", "a-2"].map((agentId) => ({ taskId: `on-${agentId}`, agentId }));
  await back.say({ reconciles: [{ reconcileId: "r-1", tasks }] });
  expect(back.all("updates")).toEqual([]);
  expect(back.all("reconciled")).toMatchObject([{ reconcileId: "r-1", complete: false, inDoubt: tasks }]);
  await cluster.agent("a-1", {}, [agent.reportOf(running)]);
  await back.say({ reconciles: [{ reconcileId: "r-2", tasks }] });
  expect(back.all("updates")).toMatchObject([{ taskId: "on-a-1", state: TASK_RUNNING }]);
  expect(back.all("reconciled")[1]).toMatchObject({ complete: false, inDoubt: [tasks[1]], agentsAwaited: ["a-2"] });
  await cluster.advance(75_000);
  await back.say({ reconciles: [{ reconcileId: "r-3", tasks }] });
  expect(back.all("reconciled")[2]).toMatchObject({ complete: true, agentsAwaited: [] });
  expect(back.updatesOf("on-a-2").at(-1)?.state).toBe(TaskState.TASK_UNREACHABLE);
});

import { MusterError, resources } from "@muster/foundation";
import { AgentState, StatusReason, TaskState } from "@muster/proto";
import { afterEach, beforeEach, expect, test } from "vitest";
import { aGroup, aTask, Cluster, until } from "./harness.ts";

const { TASK_RUNNING, TASK_UNREACHABLE, TASK_DROPPED, TASK_GONE } = TaskState;

let cluster: Cluster;
beforeEach(async () => {
  cluster = await Cluster.start({ offerTimeoutMs: 1e14 });
});
afterEach(() => cluster.close());

test("case 53: an agent that answers no ping is unreachable after 75 s, and the registry knows it first", async () => {
  const agent = await cluster.agent("a-1");
  const framework = await cluster.framework("services");
  const offer = await framework.offer();
  await framework.accept([offer], [aGroup([aTask("t-1")])], 0);
  await agent.report("t-1", TASK_RUNNING, 1);
  agent.answersPings = false;
  await cluster.advance(74_000);
  expect(framework.updatesOf("t-1").map((status) => status.state)).toEqual([TASK_RUNNING]);
  expect(framework.all("rescinds")).toEqual([]);
  cluster.storeFault = new MusterError("unavailable", "the disk is away");
  await cluster.advance(1_000);
  expect(framework.all("rescinds")).toHaveLength(1);
  expect(framework.updatesOf("t-1").map((status) => status.state)).toEqual([TASK_RUNNING]);
  cluster.storeFault = undefined;
  await cluster.advance(2_000);
  expect(framework.updatesOf("t-1").at(-1)).toMatchObject({
    state: TASK_UNREACHABLE,
    reason: StatusReason.REASON_AGENT_UNREACHABLE,
  });
  expect(framework.all("agentsLost")).toEqual([expect.objectContaining({ agentId: "a-1", gone: false })]);
});

test("case 53: without trouble the bound is 75 s to the second", async () => {
  const agent = await cluster.agent("a-1");
  const framework = await cluster.framework("services");
  await framework.accept([await framework.offer()], [aGroup([aTask("t-1")])]);
  await agent.report("t-1", TASK_RUNNING, 1);
  agent.answersPings = false;
  await cluster.advance(74_999);
  expect(framework.updatesOf("t-1")).toHaveLength(1);
  await cluster.advance(1);
  expect(framework.updatesOf("t-1").at(-1)?.state).toBe(TASK_UNREACHABLE);
});

test("one fixed port has a holder for each address of the host and each protocol, also after a fail-over", async () => {
  const attributes = [
    { name: "host_network.private", value: "10.9.0.1" },
    { name: "host_network.public", value: "192.0.2.7" },
    { name: "host_network.same", value: "192.0.2.7" },
  ];
  const agent = await cluster.agent("a-1", { attributes });
  const framework = await cluster.framework("services");
  const group = (taskId: string, hostNetwork: string, protocol = "", number = 8_080) =>
    aGroup([aTask(taskId)], { ports: [{ label: "http", number, to: 0, protocol, hostNetwork }] });
  const wishes = [
    group("private", "private"),
    group("public", "public"),
    group("twice", "same"),
    group("every", ""),
    group("tcp", "", "tcp", 53),
    group("udp", "default", "udp", 53),
    group("both", "", "", 53),
  ];
  await framework.accept([await framework.offer()], wishes, 0);
  for (const taskId of ["twice", "every", "both"])
    expect(framework.updatesOf(taskId)).toMatchObject([
      { state: TASK_DROPPED, reason: StatusReason.REASON_PORT_IN_USE },
    ]);
  expect(agent.all("launches").map(({ group: sent }) => sent?.launchId)).toEqual(
    ["private", "public", "tcp", "udp"].map((taskId) => `launch-${taskId}`),
  );
  await cluster.advance(100);
  const parts = [
    { number: 8_080, protocol: "", ip: "10.9.0.1" },
    { number: 8_080, protocol: "", ip: "192.0.2.7" },
    { number: 53, protocol: "tcp", ip: "" },
    { number: 53, protocol: "udp", ip: "" },
  ];
  const held = await framework.offer();
  expect(held.portsTaken).toEqual([53, 8_080]);
  expect(held.portsInPart).toEqual(parts);
  const statuses = await Promise.all(
    ["private", "public", "tcp", "udp"].map((taskId) => agent.report(taskId, TASK_RUNNING, 1)),
  );
  cluster = await cluster.failOver();
  const back = await cluster.agent(
    "a-1",
    { attributes },
    statuses.map((status) => agent.reportOf(status)),
  );
  const again = await cluster.framework("services", { frameworkId: framework.id });
  expect((await again.offer()).portsInPart).toEqual(parts);
  await back.say({
    statuses: ["public", "tcp"].map((taskId) => agent.statusOf(taskId, TaskState.TASK_FINISHED, 2)),
  });
  const { agents } = await cluster.call("Operator.ListAgents", {});
  expect(agents[0]?.portsInPart).toEqual([parts[0], parts[3]]);
});

test("case 55: of ten silent agents at most one a minute becomes unreachable; a pong cancels the turn of another", async () => {
  await cluster.close();
  cluster = await Cluster.start({ offerTimeoutMs: 1e14, unreachableIntervalMs: 60_000 });
  const agents = await Promise.all(Array.from({ length: 10 }, (_, index) => cluster.agent(`a-${index}`)));
  for (const agent of agents) agent.answersPings = false;
  const framework = await cluster.framework("services");
  const lost = () => framework.all("agentsLost").map(({ agentId }) => agentId);
  await cluster.advance(74_999);
  expect(lost()).toEqual([]);
  await cluster.advance(1);
  expect(lost()).toHaveLength(1);
  await cluster.advance(59_999);
  expect(lost()).toHaveLength(1);
  await cluster.advance(1);
  expect(lost()).toHaveLength(2);
  const others = agents.filter(({ id }) => !lost().includes(id));
  for (const agent of others.slice(1)) {
    agent.answersPings = true;
    await agent.say({ pong: { pingNumber: 1 } });
  }
  await cluster.advance(180_000);
  expect(lost()).toHaveLength(3);
  expect(lost()[2]).toBe(others[0]?.id);
});

test("case 55: the limit holds for agents that the next leader awaits, too", async () => {
  await Promise.all([cluster.agent("a-1"), cluster.agent("a-2")]);
  cluster = await cluster.failOver({ offerTimeoutMs: 1e14, unreachableIntervalMs: 60_000 });
  const framework = await cluster.framework("services");
  await cluster.advance(75_000);
  expect(framework.all("agentsLost")).toHaveLength(1);
  expect(cluster.master.state?.awaited.size).toBe(1);
  await cluster.advance(60_000);
  expect(framework.all("agentsLost")).toHaveLength(2);
});

test("case 54: tasks of an agent that returns run again; none is killed or launched twice", async () => {
  const agent = await cluster.agent("a-1");
  const framework = await cluster.framework("services");
  await framework.accept([await framework.offer()], [aGroup([aTask("t-1")])]);
  const running = await agent.report("t-1", TASK_RUNNING, 1);
  await agent.drop();
  await cluster.advance(75_000);
  const back = await cluster.agent("a-1", {}, [agent.reportOf(running)]);
  await cluster.settle();
  expect(framework.updatesOf("t-1").map(({ state, reason }) => [state, reason])).toEqual([
    [TASK_RUNNING, 0],
    [TASK_UNREACHABLE, StatusReason.REASON_AGENT_UNREACHABLE],
    [TASK_RUNNING, StatusReason.REASON_AGENT_RETURNED],
  ]);
  expect([...back.all("launches"), ...back.all("kills")]).toEqual([]);
  expect((await framework.offer()).resources?.cpuMillis).toBe(3_500);
});

test("an end that an agent told only the master, and then forgot, is told to the framework", async () => {
  const agent = await cluster.agent("a-1");
  const framework = await cluster.framework("services");
  await framework.accept([await framework.offer()], [aGroup([aTask("t-1")])]);
  const running = await agent.report("t-1", TASK_RUNNING, 1);
  await agent.drop();
  // Its disk is full: the end is not durable, so no status of it is sent.
  const dropped = { ...running, state: TASK_DROPPED, sequence: 2, updateId: "t-1-2" };
  const back = await cluster.agent("a-1", {}, [agent.reportOf(dropped)]);
  await cluster.settle();
  expect(framework.updatesOf("t-1").map(({ state }) => state)).toEqual([TASK_RUNNING]);
  await back.drop();
  await cluster.agent("a-1");
  await cluster.settle();
  expect(framework.updatesOf("t-1").slice(1)).toMatchObject([{ state: TASK_DROPPED, updateId: "" }]);
});

test("an agent that answers pings stays", async () => {
  const agent = await cluster.agent("a-1");
  await cluster.advance(300_000);
  expect(agent.ended).toBeUndefined();
});

test("case 58: a connected agent's id claimed from another address is refused, and the first is untouched", async () => {
  const first = await cluster.agent("a-1");
  const second = await cluster.agent("a-1", { address: "elsewhere:5051" });
  expect(second.ended).toMatchObject({ kind: "exists", field: "registration.agent_id" });
  expect(first.ended).toBeUndefined();
  const framework = await cluster.framework("services");
  await framework.accept([await framework.offer()], [aGroup([aTask("t-1")])]);
  expect(first.launchOf("t-1")).toBeDefined();
});

test("the same agent that connects anew takes the place of its old connection", async () => {
  const first = await cluster.agent("a-1");
  const second = await cluster.agent("a-1");
  await until(() => first.ended !== undefined);
  expect(second.isRegistered).toBe(true);
  const framework = await cluster.framework("services");
  expect((await framework.offer()).agentId).toBe("a-1");
  expect(framework.offersLeft).toBe(0);
});

test("a launch that was lost with the connection is dropped; a running task that the agent lacks is gone", async () => {
  const agent = await cluster.agent("a-1");
  const framework = await cluster.framework("services");
  await framework.accept([await framework.offer()], [aGroup([aTask("sent")]), aGroup([aTask("ran")])]);
  await agent.report("ran", TASK_RUNNING, 1);
  await agent.drop();
  await cluster.agent("a-1");
  await cluster.settle();
  expect(framework.updatesOf("sent")).toMatchObject([
    { state: TASK_DROPPED, reason: StatusReason.REASON_AGENT_DISCONNECTED },
  ]);
  expect(framework.updatesOf("ran").at(-1)?.state).toBe(TASK_GONE);
  expect((await cluster.call("Operator.ListAgents", {})).agents[0]).toMatchObject({
    taskCount: 0,
    allocated: { cpuMillis: 0 },
  });
});

test("a new master adopts tasks from their agents, and with them a framework that the registry has lost", async () => {
  const agent = await cluster.agent("a-1");
  const framework = await cluster.framework("services");
  const ports = [{ label: "http", number: 0, to: 0, protocol: "", hostNetwork: "" }];
  await framework.accept([await framework.offer()], [aGroup([aTask("t-1"), aTask("t-2")], { ports })]);
  const container = {
    pid: 1,
    ips: [],
    ports: [{ label: "http", number: 20_007, to: 0, protocol: "", ip: "10.0.0.1" }],
    networks: [],
  };
  const statuses = [
    await agent.report("t-1", TASK_RUNNING, 1, { container }),
    await agent.report("t-2", TASK_RUNNING, 1, { container }),
  ];
  cluster.data.entries.delete(`frameworks/${framework.id}`);
  cluster = await cluster.failOver();
  await cluster.agent(
    "a-1",
    {},
    statuses.map((status) => agent.reportOf(status)),
  );
  const { frameworks } = await cluster.call("Operator.ListFrameworks", {});
  expect(frameworks).toMatchObject([
    { frameworkId: framework.id, name: "services", connected: false, taskCount: 2, allocated: { cpuMillis: 1_000 } },
  ]);
  const { agents } = await cluster.call("Operator.ListAgents", {});
  expect(agents[0]).toMatchObject({ portsTaken: [20_007], allocated: { cpuMillis: 1_000, portCount: 1 } });
  const back = await cluster.framework("services", { frameworkId: framework.id });
  expect((await back.offer()).resources).toMatchObject({ cpuMillis: 3_000, portCount: 99 });
});

test("ports of a group return with the end of its last task, and a static one has one holder", async () => {
  const agent = await cluster.agent("a-1");
  const framework = await cluster.framework("services");
  const fixed = (label: string) => [{ label, number: 8_080, to: 0, protocol: "", hostNetwork: "" }];
  const dynamic = [{ label: "http", number: 0, to: 0, protocol: "", hostNetwork: "" }];
  const pair = aGroup([aTask("t-1"), aTask("t-2")], { ports: [...dynamic, ...fixed("admin")] });
  await framework.accept([await framework.offer()], [pair, aGroup([aTask("t-3")], { ports: fixed("x") })], 0);
  expect(framework.updatesOf("t-3")).toMatchObject([{ state: TASK_DROPPED, reason: StatusReason.REASON_PORT_IN_USE }]);
  await agent.report("t-1", TaskState.TASK_FINISHED, 1);
  await cluster.advance(100);
  const held = await framework.offer();
  expect(held.resources?.portCount).toBe(99);
  expect(held.portsTaken).toEqual([8_080]);
  await framework.decline([held], 0);
  await agent.report("t-2", TaskState.TASK_FINISHED, 1);
  const free = await framework.offer();
  expect(free.resources?.portCount).toBe(100);
  expect(free.portsTaken).toEqual([]);
});

test("an agent that leaves is forgotten, and what it still had is gone", async () => {
  const agent = await cluster.agent("a-1");
  const framework = await cluster.framework("services");
  await framework.accept([await framework.offer()], [aGroup([aTask("t-1")])]);
  await agent.say({ leaving: true });
  expect(framework.updatesOf("t-1")).toMatchObject([{ state: TASK_GONE, reason: StatusReason.REASON_AGENT_SHUTDOWN }]);
  expect((await cluster.call("Operator.ListAgents", {})).agents).toEqual([]);
  expect([...cluster.data.entries.keys()].filter((key) => key.startsWith("agents/"))).toEqual([]);
});

test("a message that can't be is answered to its sender alone, with the path of the field", async () => {
  const good = await cluster.agent("a-1");
  const bad = await cluster.agent("a-2");
  await bad.say({ statuses: [bad.statusOf("t-1", TASK_RUNNING, 1, { agentId: "a-1" })] });
  await until(() => bad.ended !== undefined);
  expect(bad.ended).toMatchObject({ kind: "invalid", field: "statuses[0].agent_id" });
  expect(good.ended).toBeUndefined();
  const nameless = await cluster.agent("a/3");
  expect(nameless.ended).toMatchObject({ kind: "invalid", field: "registration.agent_id" });
});

test("while the store fails, tasks and statuses go on and new registrations are told to come back", async () => {
  const agent = await cluster.agent("a-1");
  const framework = await cluster.framework("services");
  cluster.storeFault = new MusterError("unavailable", "the disk is away");
  await framework.accept([await framework.offer()], [aGroup([aTask("t-1")])]);
  await agent.report("t-1", TASK_RUNNING, 1);
  expect(framework.updatesOf("t-1")).toMatchObject([{ state: TASK_RUNNING }]);
  const late = await cluster.agent("a-2");
  expect(late.ended).toMatchObject({ kind: "unavailable", retryAfterMs: 1_000 });
  const other = await cluster.framework("other");
  expect(other.ended).toMatchObject({ kind: "unavailable" });
  cluster.storeFault = undefined;
  expect((await cluster.agent("a-2")).isRegistered).toBe(true);
});

test("after the bound, agents that the store knows and that are not back are unreachable", async () => {
  await cluster.agent("a-1");
  cluster = await cluster.failOver();
  expect((await cluster.call("Operator.GetMaster", {})).agentsAwaited).toEqual(["a-1"]);
  await cluster.advance(74_999);
  expect((await cluster.call("Operator.ListAgents", {})).agents[0]?.state).toBe(AgentState.AGENT_STATE_AWAITED);
  await cluster.advance(1);
  expect((await cluster.call("Operator.ListAgents", {})).agents[0]?.state).toBe(AgentState.AGENT_STATE_UNREACHABLE);
});

test("a master that hears of a higher epoch stops", async () => {
  const agent = await cluster.agent("a-1", { epochSeen: 99 });
  await until(() => agent.ended !== undefined);
  expect(cluster.failed).toMatchObject({ kind: "not-leader" });
  const framework = await cluster.framework("services");
  expect(framework.ended).toMatchObject({ kind: "unavailable" });
});

test("case 63: two equal roles that take what they get differ by at most one agent", async () => {
  const frameworks = [
    await cluster.framework("one", { roles: ["a"] }),
    await cluster.framework("two", { roles: ["b"] }),
  ];
  for (let index = 1; index <= 7; index++) await cluster.agent(`a-${index}`);
  const took = frameworks.map((framework) => framework.all("offers").length).sort();
  expect(took).toEqual([3, 4]);
});

test("a change of an agent's totals is offered, and less than before rescinds", async () => {
  const agent = await cluster.agent("a-1");
  const framework = await cluster.framework("services");
  await framework.offer();
  const update = {
    resources: resources({ cpuMillis: 1_000, memoryMiB: 512 }),
    attributes: [],
    foreignPorts: [9_000],
    networks: null,
  };
  await agent.say({ update });
  expect(framework.all("rescinds")).toHaveLength(1);
  const offer = await framework.offer();
  expect(offer).toMatchObject({ resources: { cpuMillis: 1_000, memoryMiB: 512 }, portsTaken: [9_000] });
});

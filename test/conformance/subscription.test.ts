import { emptyMessage, type MusterError, type StreamHandler } from "@muster/foundation";
import { TaskState } from "@muster/proto";
import { afterEach, beforeEach, expect, test } from "vitest";
import { aGroup, anAccept, aTask, Cluster, until } from "./harness.ts";

let cluster: Cluster;
beforeEach(async () => {
  cluster = await Cluster.start();
});
afterEach(() => cluster.close());

test("case 1: a framework without an id is given a unique one and the heartbeat interval, before anything else", async () => {
  await cluster.agent("a-1");
  const first = await cluster.framework("one");
  const second = await cluster.framework("two");
  expect(first.received[0]?.subscribed?.heartbeatIntervalMs).toBe(15_000);
  expect(first.id).not.toBe("");
  expect(second.id).not.toBe(first.id);
  expect(first.received.filter((message) => message.subscribed !== null)).toHaveLength(1);
});

test("case 2: a second session of one id ends the first, voids its offers and is subscribed", async () => {
  await cluster.agent("a-1");
  const old = await cluster.framework("services");
  const oldOffer = await old.offer();
  const young = await cluster.framework("services", { frameworkId: old.id });
  await until(() => old.ended !== undefined);
  expect(old.ended).toMatchObject({ kind: "wrong-state", message: expect.stringContaining("framework failed over") });
  expect(young.id).toBe(old.id);
  await young.accept([oldOffer], [aGroup([aTask("t-1")])]);
  expect(young.updatesOf("t-1")).toMatchObject([{ state: TaskState.TASK_DROPPED, reason: 8 }]);
  expect((await young.offer()).agentId).toBe("a-1");
});

test("case 3: what the replaced session still says is not acted on", async () => {
  const agent = await cluster.agent("a-1");
  const old = await cluster.framework("services");
  const offer = await old.offer();
  const young = await cluster.framework("services", { frameworkId: old.id });
  old.send({ accepts: [anAccept([offer], [aGroup([aTask("t-1")])])] });
  await until(() => old.ended !== undefined);
  await cluster.settle();
  expect(agent.all("launches")).toEqual([]);
  expect(young.ended).toBeUndefined();
});

test("case 4: the id of a framework that is over is refused with a reason", async () => {
  const framework = await cluster.framework("services", { failoverTimeoutMs: 10_000 });
  await framework.drop();
  await cluster.advance(10_000);
  const again = await cluster.framework("services", { frameworkId: framework.id });
  expect(again.ended).toMatchObject({ kind: "wrong-state", message: expect.stringContaining("is over") });
  const next = await cluster.failOver();
  cluster = next;
  const later = await next.framework("services", { frameworkId: framework.id });
  expect(later.ended).toMatchObject({ kind: "wrong-state" });
});

test("case 5: another principal can't take a framework over, and its session is untouched", async () => {
  const framework = await cluster.framework("services", { principal: "p" });
  const thief = await cluster.framework("services", { principal: "q", frameworkId: framework.id });
  expect(thief.ended).toMatchObject({ kind: "forbidden" });
  await cluster.agent("a-1");
  expect((await framework.offer()).agentId).toBe("a-1");
});

test("case 6: tasks of a framework that is away run until its timeout, and not longer", async () => {
  const agent = await cluster.agent("a-1");
  const framework = await cluster.framework("services", { failoverTimeoutMs: 10_000 });
  await framework.accept([await framework.offer()], [aGroup([aTask("t-1")])]);
  await agent.report("t-1", TaskState.TASK_RUNNING, 1);
  await framework.drop();
  await cluster.advance(9_900);
  expect(agent.all("frameworksRemoved")).toEqual([]);
  await cluster.advance(100);
  expect(agent.all("frameworksRemoved")).toEqual([framework.id]);
  await agent.report("t-1", TaskState.TASK_KILLED, 2);
  expect(agent.all("acknowledgements").map((ack) => ack.updateId)).toContain("t-1-2");
  expect((await cluster.call("Operator.ListFrameworks", {})).frameworks).toEqual([]);
});

test("case 7: a framework that is back in time is not ended by the timer of its absence", async () => {
  const agent = await cluster.agent("a-1");
  const framework = await cluster.framework("services", { failoverTimeoutMs: 10_000 });
  await framework.drop();
  await cluster.advance(9_000);
  const back = await cluster.framework("services", { frameworkId: framework.id, failoverTimeoutMs: 10_000 });
  await cluster.advance(9_900);
  expect(back.ended).toBeUndefined();
  expect(agent.all("frameworksRemoved")).toEqual([]);
});

test("case 8: the timeout of a framework that is away also ends it under the next master", async () => {
  const framework = await cluster.framework("services", { failoverTimeoutMs: 10_000 });
  const agent = await cluster.agent("a-1");
  await framework.accept([await framework.offer()], [aGroup([aTask("t-1")])]);
  const running = await agent.report("t-1", TaskState.TASK_RUNNING, 1);
  await framework.drop();
  await cluster.advance(5_000);
  cluster = await cluster.failOver();
  const back = await cluster.agent("a-1", {}, [agent.reportOf(running)]);
  await cluster.advance(9_900);
  expect(back.all("frameworksRemoved")).toEqual([]);
  await cluster.advance(100);
  expect(back.all("frameworksRemoved")).toEqual([framework.id]);
});

test("case 9: an idle stream carries heartbeats; one that is not read is closed with a reason", async () => {
  const framework = await cluster.framework("services");
  await cluster.advance(14_900);
  expect(framework.received.filter((message) => message.heartbeat !== null)).toHaveLength(0);
  await cluster.advance(100);
  expect(framework.received.filter((message) => message.heartbeat !== null)).toHaveLength(1);

  let ended: MusterError | undefined;
  let sent = 0;
  const open = cluster.master.handlers["Scheduling.Subscribe"] as StreamHandler<"Scheduling.Subscribe">;
  const deaf = {
    send: () => void sent++,
    ready: () => sent === 0,
    end: (error?: MusterError) => {
      ended = error;
    },
  };
  const inlet = open(deaf, { address: "test", principal: "local" });
  const info = { ...emptyMessage("FrameworkInfo"), name: "deaf", roles: ["web"] };
  const subscription = { ...emptyMessage("Subscription"), framework: info };
  inlet.receive({ ...emptyMessage("SubscribeRequest"), subscription });
  await until(() => sent === 1);
  const tasks = Array.from({ length: 50_000 }, (_, index) => ({ taskId: `t-${index}`, agentId: "" }));
  inlet.receive({ ...emptyMessage("SubscribeRequest"), reconciles: [{ reconcileId: "r", tasks }] });
  await until(() => ended !== undefined);
  expect(ended).toMatchObject({ kind: "slow-reader" });
  expect(sent).toBe(1);
  const { frameworks } = await cluster.call("Operator.ListFrameworks", {});
  expect(frameworks.find((one) => one.name === "deaf")?.connected).toBe(false);
});

test("case 11: a role that is none is refused, naming the field", async () => {
  for (const role of ["a//b", "..", "-x", "a*b", ""]) {
    const framework = await cluster.framework("services", { roles: ["good", role] });
    expect(framework.ended).toMatchObject({ kind: "invalid", field: "subscription.framework.roles[1]" });
  }
  const nameless = await cluster.framework("", {});
  expect(nameless.ended).toMatchObject({ kind: "invalid", field: "subscription.framework.name" });
});

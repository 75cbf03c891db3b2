import { MusterError, resources } from "@muster/foundation";
import { TaskState } from "@muster/proto";
import { afterEach, beforeEach, expect, test } from "vitest";
import { aGroup, aTask, Cluster, until } from "./harness.ts";

const { TASK_RUNNING, TASK_FINISHED } = TaskState;

let cluster: Cluster;
beforeEach(async () => {
  cluster = await Cluster.start({ offerTimeoutMs: 1e14 });
});
afterEach(() => cluster.close());

test("case 74: while the store is away tasks, launches and statuses go on, what needs a write is unavailable, and nothing is lost", async () => {
  const agent = await cluster.agent("a-1");
  const framework = await cluster.framework("services", { failoverTimeoutMs: 3_600_000 });
  await framework.accept([await framework.offer()], [aGroup([aTask("t-1")])], 0);
  await framework.acknowledge(await agent.report("t-1", TASK_RUNNING, 1));
  await cluster.advance(100);
  cluster.storeFault = new MusterError("unavailable", "the disk is away");
  const refused = { kind: "unavailable" };
  expect((await cluster.agent("a-2")).ended).toMatchObject(refused);
  expect((await cluster.framework("cron")).ended).toMatchObject(refused);
  const limit = resources({ cpuMillis: 1_000 });
  await expect(cluster.call("Operator.SetQuota", { role: "eng", limit })).rejects.toMatchObject(refused);
  await expect(cluster.call("Operator.Drain", { agentId: "a-1", deadlineMs: 0 })).rejects.toMatchObject(refused);
  // A launch needs no store, and neither does the end of a task.
  await framework.accept([await framework.offer()], [aGroup([aTask("t-2")])], 0);
  expect(agent.launchOf("t-2")).toBeDefined();
  await framework.acknowledge(await agent.report("t-2", TASK_RUNNING, 1));
  await framework.acknowledge(await agent.report("t-1", TASK_FINISHED, 2));
  expect(framework.updatesOf("t-1").at(-1)?.state).toBe(TASK_FINISHED);
  // It goes while nobody can write that down.
  await framework.drop();
  await cluster.advance(30_000);
  expect(agent.all("kills")).toEqual([]);
  expect(agent.ended).toBeUndefined();
  cluster.storeFault = undefined;
  await cluster.advance(2_000);
  expect((await cluster.agent("a-2")).isRegistered).toBe(true);
  await cluster.call("Operator.SetQuota", { role: "eng", limit });
  const report = agent.reportOf(agent.statusOf("t-2", TASK_RUNNING, 1), true);
  cluster = await cluster.failOver();
  await cluster.agent("a-1", {}, [report]);
  const again = await cluster.framework("services", { frameworkId: framework.id, failoverTimeoutMs: 3_600_000 });
  await again.say({ reconciles: [{ reconcileId: "r", tasks: [] }] });
  await until(() => again.updatesOf("t-2").length > 0);
  expect(again.updatesOf("t-2").at(-1)?.state).toBe(TASK_RUNNING);
  const { frameworks } = await cluster.call("Operator.ListFrameworks", {});
  expect(frameworks.map(({ name }) => name)).toEqual(["services"]);
});

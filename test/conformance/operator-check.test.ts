import { noResources } from "@muster/foundation";
import { type SnapshotResponse, TaskState } from "@muster/proto";
import { afterEach, beforeEach, expect, test } from "vitest";
import { aGroup, aTask, Cluster, until } from "./harness.ts";

let cluster: Cluster;
beforeEach(async () => {
  cluster = await Cluster.start({ offerTimeoutMs: 1e14 });
});
afterEach(() => cluster.close());

async function busy(): Promise<void> {
  const agent = await cluster.agent("a-1");
  await cluster.agent("a-2");
  const framework = await cluster.framework("services");
  const offers = [await framework.offer(), await framework.offer()];
  const offer = offers.find(({ agentId }) => agentId === "a-1");
  if (offer) await framework.accept([offer], [aGroup([aTask("t-1"), aTask("t-2")])], 0);
  await agent.report("t-1", TaskState.TASK_RUNNING, 1);
  await cluster.call("Operator.SetMaintenance", {
    windows: [{ agentId: "a-2", startAt: cluster.clock.epochMs() + 60_000, durationMs: 60_000 }],
  });
}

test("a check of a sound master finds nothing, and says what it looked at", async () => {
  await busy();
  expect(await cluster.call("Operator.Check", {})).toMatchObject({ violations: [], agentCount: 2, taskCount: 2 });
});

test("a check finds books that are wrong, once it has seen so twice", async () => {
  await busy();
  const agent = cluster.master.state?.agents.get("a-1");
  if (agent === undefined) throw new Error("no agent");
  // Nothing that a peer can do brings this about: it stands for a bug of the master.
  const right = agent.allocated;
  agent.allocated = noResources;
  const answer = cluster.call("Operator.Check", {});
  await cluster.settle();
  await cluster.advance(2_000);
  expect((await answer).violations).toEqual([
    expect.objectContaining({ rule: "allocated-sum", subjectId: "a-1", detail: expect.stringContaining("2 tasks") }),
  ]);
  const passing = cluster.call("Operator.Check", {});
  await cluster.settle();
  agent.allocated = right;
  await cluster.advance(2_000);
  expect((await passing).violations).toEqual([]);
});

test("a snapshot tells agents, frameworks, tasks, offers, the plan and the master, part by part", async () => {
  await busy();
  await cluster.settle();
  const parts: SnapshotResponse[] = [];
  let ended = false;
  cluster.transport.follow(
    "Operator.Snapshot",
    cluster.address,
    {},
    {
      receive: (part) => void parts.push(part),
      drained: () => {},
      closed: () => {
        ended = true;
      },
    },
  );
  await until(() => ended);
  expect(parts[0]?.master).toMatchObject({ epoch: 1 });
  expect(parts[0]?.maintenance).toMatchObject([{ agentId: "a-2" }]);
  const all = <F extends "agents" | "frameworks" | "tasks" | "offers">(field: F) =>
    parts.flatMap((part) => [...part[field]]);
  expect(all("agents").map(({ agentId }) => agentId)).toEqual(["a-1", "a-2"]);
  expect(all("frameworks").map(({ name }) => name)).toEqual(["services"]);
  expect(all("tasks").map(({ taskId }) => taskId)).toEqual(["t-1", "t-2"]);
  expect(all("offers").length).toBe(cluster.master.state?.offers.size);
  expect(all("offers").length).toBeGreaterThan(0);
});

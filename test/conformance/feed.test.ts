import { emptyMessage, type FollowHandler, type MusterError } from "@muster/foundation";
import { TaskState, WatchKind } from "@muster/proto";
import { afterEach, beforeEach, expect, test } from "vitest";
import { aGroup, aTask, Cluster, until } from "./harness.ts";

let cluster: Cluster;
beforeEach(async () => {
  cluster = await Cluster.start();
});
afterEach(() => cluster.close());

test("case 76: a reader who resumes gets exactly the events after, or a new snapshot", async () => {
  const agent = await cluster.agent("a-1");
  const framework = await cluster.framework("services");
  const watch = await cluster.watch({ kinds: [WatchKind.WATCH_KIND_TASKS] });
  const groups = [1, 2, 3].map((n) => aGroup([aTask(`t-${n}`)]));
  await framework.accept([await framework.offer()], groups);
  for (const n of [1, 2, 3]) await agent.report(`t-${n}`, TaskState.TASK_RUNNING, 1);
  await until(() => watch.events.length === 6);
  const { events } = watch;
  const epoch = watch.received[0]?.epoch ?? 0;
  const middle = events[2]?.sequence ?? 0;
  const resumed = await cluster.watch({ epoch, sequence: middle, kinds: [WatchKind.WATCH_KIND_TASKS] });
  await until(() => resumed.events.length === 3);
  expect(resumed.snapshot).toEqual([]);
  expect(resumed.events.map((event) => event.sequence)).toEqual(events.slice(3).map((event) => event.sequence));
  cluster = await cluster.failOver();
  const after = await cluster.watch({ epoch, sequence: middle });
  await until(() => after.isComplete);
  expect(after.received[0]).toMatchObject({ snapshot: true, epoch: epoch + 1 });
});

test("a snapshot tells everything that is there, with the agents that are awaited", async () => {
  const agent = await cluster.agent("a-1");
  const framework = await cluster.framework("services");
  await framework.accept([await framework.offer()], [aGroup([aTask("t-1")])]);
  await agent.report("t-1", TaskState.TASK_RUNNING, 1);
  const watch = await cluster.watch();
  const told = watch.snapshot;
  expect(told.find((event) => event.agent)?.agent).toMatchObject({ agentId: "a-1", taskCount: 1 });
  expect(told.find((event) => event.framework)?.framework).toMatchObject({ name: "services", connected: true });
  expect(told.find((event) => event.task)?.task).toMatchObject({ taskId: "t-1", agentName: "name-a-1" });
  expect(told.find((event) => event.agentsAwaited)?.agentsAwaited?.agentIds).toEqual([]);
  cluster = await cluster.failOver();
  const next = await cluster.watch();
  expect(next.snapshot.find((event) => event.agentsAwaited)?.agentsAwaited?.agentIds).toEqual(["a-1"]);
  await cluster.agent("a-1", {}, [agent.reportOf(agent.statusOf("t-1", TaskState.TASK_RUNNING, 1))]);
  await until(() => next.events.some((event) => event.agentsAwaited));
  expect(next.events.find((event) => event.agentsAwaited)?.agentsAwaited?.agentIds).toEqual([]);
});

test("a snapshot comes in parts of at most 1,000 records", async () => {
  const agent = await cluster.agent("a-1", {
    resources: { cpuMillis: 1e9, memoryMiB: 1e9, diskMiB: 0, portCount: 0, custom: {} },
  });
  const framework = await cluster.framework("services");
  const offer = await framework.offer();
  await framework.accept(
    [offer],
    Array.from({ length: 1_000 }, (_, n) => aGroup([aTask(`t-${n}`), aTask(`u-${n}`)])),
  );
  await until(() => agent.all("launches").length === 1_000);
  const watch = await cluster.watch({ kinds: [WatchKind.WATCH_KIND_TASKS] });
  expect(watch.snapshot).toHaveLength(2_000);
  for (const message of watch.received) expect(message.events.length).toBeLessThanOrEqual(1_000);
  expect(watch.received.filter((message) => message.snapshotComplete)).toHaveLength(1);
});

test("a reader who does not read is cut off, and the others see everything", async () => {
  const agent = await cluster.agent("a-1");
  const framework = await cluster.framework("services");
  const good = await cluster.watch({ kinds: [WatchKind.WATCH_KIND_TASKS] });
  let ended: MusterError | undefined;
  let sent = 0;
  const follow = cluster.master.handlers["Watch.Events"] as FollowHandler<"Watch.Events">;
  const deaf = {
    send: () => void sent++,
    ready: () => sent === 0,
    end: (error?: MusterError) => {
      ended = error;
    },
  };
  follow(emptyMessage("EventsRequest"), deaf, { address: "test", principal: "local" });
  await until(() => sent === 1);
  await framework.accept([await framework.offer()], [aGroup([aTask("t-1")])]);
  await cluster.advance(11_000);
  await agent.report("t-1", TaskState.TASK_RUNNING, 1);
  await until(() => ended !== undefined);
  expect(ended).toMatchObject({ kind: "slow-reader" });
  expect(sent).toBe(1);
  await until(() => good.events.length === 2);
});

test("offers are told when they are made and how they end", async () => {
  await cluster.agent("a-1");
  const watch = await cluster.watch({ kinds: [WatchKind.WATCH_KIND_OFFERS] });
  const framework = await cluster.framework("services");
  const offer = await framework.offer();
  await framework.decline([offer]);
  await until(() => watch.events.length === 2);
  expect(watch.events[0]?.offer).toMatchObject({ offerId: offer.offerId, frameworkName: "services" });
  expect(watch.events[1]?.offerEnded).toMatchObject({ offerId: offer.offerId, outcome: "declined" });
});

test("roles are told when their frameworks or their rules change, and when they are no more", async () => {
  await cluster.agent("a-1");
  const watch = await cluster.watch({ kinds: [WatchKind.WATCH_KIND_ROLES] });
  expect(watch.snapshot).toEqual([]);
  const framework = await cluster.framework("services", { roles: ["eng/web"] });
  await framework.offer();
  await cluster.advance(300);
  const roleOf = (name: string) => watch.events.filter((event) => event.role?.role === name).at(-1)?.role;
  await until(() => roleOf("eng") !== undefined);
  expect(roleOf("eng/web")).toMatchObject({ frameworkIds: [framework.id], offered: { cpuMillis: 4_000 } });
  await cluster.call("Operator.SetWeight", { role: "ops", weightMillis: 2_000 });
  await cluster.advance(300);
  await until(() => roleOf("ops")?.weightMillis === 2_000);
  const again = await cluster.watch({ kinds: [WatchKind.WATCH_KIND_ROLES] });
  expect(again.snapshot.map((event) => event.role?.role).sort()).toEqual(["eng", "eng/web", "ops"]);
  await cluster.call("Operator.SetWeight", { role: "ops", weightMillis: 1_000 });
  await cluster.advance(300);
  await until(() => watch.events.some((event) => event.roleRemoved === "ops"));
});

test("a kind that is none is refused, naming the field", async () => {
  const watch = await cluster.watch({ kinds: [WatchKind.WATCH_KIND_TASKS, 99 as WatchKind] });
  await until(() => watch.ended !== undefined);
  expect(watch.ended).toMatchObject({ kind: "invalid", field: "kinds[1]" });
});

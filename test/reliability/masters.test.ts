import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Client, credentials, type ServiceError, status } from "@grpc/grpc-js";
import { createAgent, hostWorld } from "@muster/executors";
import { emptyMessage, MusterError, methodDefinition, silentLog, systemClock, systemRandom } from "@muster/foundation";
import { createScheduler, type Scheduler } from "@muster/framework-sdk";
import {
  type AgentRecord,
  type EventsResponse,
  Health,
  type Resources,
  StatusReason,
  type TaskRecord,
  TaskState,
  type TaskStatus,
  WatchKind,
} from "@muster/proto";
import { afterEach, beforeEach, expect, test } from "vitest";
import { aGroup, aTask, Cluster, until } from "../conformance/harness.ts";

// The shipped master over real gRPC, under a clock that a test moves.
const { TASK_RUNNING, TASK_FINISHED, TASK_UNREACHABLE } = TaskState;
let cluster: Cluster;
beforeEach(async () => {
  cluster = await Cluster.start();
});
afterEach(() => cluster.close());

test("case 3: a leader that an agent tells of a later epoch gives up, and launches nothing on it", async () => {
  const framework = await cluster.framework("services");
  const epoch = cluster.data.epoch;
  const agent = await cluster.agent("a-1", { epochSeen: epoch + 1 });
  await until(() => cluster.failed !== undefined);
  expect(cluster.failed?.message).toContain(`epoch ${epoch + 1} has begun`);
  expect(agent.isRegistered).toBe(false);
  expect(framework.all("offers")).toEqual([]);
});

test("case 3: a real agent that has obeyed a later leader brings the old one down when it comes back to it", async () => {
  const folder = mkdtempSync(join(tmpdir(), "muster-epoch-"));
  const later = await Cluster.start();
  // The later leader is one by its epoch alone.
  const next = await (await later.failOver()).failOver();
  const host = {
    ip: "127.0.0.1",
    resources: { cpuMillis: 1_000, memoryMiB: 256, diskMiB: 1_000, portCount: 10, custom: {} },
    attributes: [],
    drivers: ["process"],
    networkModes: ["host"],
    unavailable: [],
    mayChangeUser: false,
  };
  const agent = createAgent(
    {
      clock: systemClock,
      random: systemRandom,
      transport: cluster.transport,
      log: silentLog,
      ...hostWorld({ dataFolder: folder, clock: systemClock, log: silentLog }),
    },
    {
      name: "here",
      address: "127.0.0.1:1",
      masters: [next.address, cluster.address],
      dataFolder: folder,
      version: "0.1.0",
      diskFreeFractionMin: 0,
      host,
    },
  );
  try {
    agent.start();
    await until(() => existsSync(join(folder, "meta", "epoch")));
    await next.close();
    await until(() => cluster.failed !== undefined);
    expect(cluster.failed?.message).toContain("has begun");
  } finally {
    await new Promise<void>((resolve) => agent.stop(resolve, "kill"));
    rmSync(folder, { recursive: true, force: true });
  }
});

const amounts = ({ cpuMillis, memoryMiB, diskMiB, portCount }: Resources) => ({
  cpuMillis,
  memoryMiB,
  diskMiB,
  portCount,
});
const taskFacts = ({ taskId, launchId, agentId, frameworkId, role, resources, status }: TaskRecord) => ({
  ...{ taskId, launchId, agentId, frameworkId, role, resources: resources && amounts(resources) },
  status: status && [status.state, status.health, status.sequence, status.updateId, status.at],
});
const agentFacts = ({ agentId, name, state, total, allocated, offered, taskCount }: AgentRecord) => ({
  ...{ agentId, name, state, taskCount },
  resources: [total, allocated, offered].map((each) => each && amounts(each)),
});

/** Events that the feed keeps: one that is so far back is forgotten. */
const ringEvents = 131_072;
const batch = 2_000;

/** So many events of one task, which the feed must tell. */
async function makeEvents(count: number): Promise<void> {
  const agent = await cluster.agent("a-1");
  const framework = await cluster.framework("services");
  await framework.accept([await framework.offer()], [aGroup([aTask("t-1")])]);
  let sequence = 0;
  while (sequence < count) {
    const statuses = Array.from({ length: Math.min(batch, count - sequence) }, () => {
      sequence += 1;
      const health = sequence % 2 === 0 ? Health.HEALTH_HEALTHY : Health.HEALTH_UNHEALTHY;
      return agent.statusOf("t-1", TASK_RUNNING, sequence, { health });
    });
    await agent.say({ statuses });
  }
}

test("case 8: a reader who resumes from where the feed has forgotten gets a snapshot that equals the lists", async () => {
  const watch = await cluster.watch({ kinds: [WatchKind.WATCH_KIND_TASKS, WatchKind.WATCH_KIND_AGENTS] });
  const { epoch = 0, sequence = 0 } = watch.received.at(-1) ?? {};
  watch.close();
  await makeEvents(ringEvents + 10);
  const kinds = [WatchKind.WATCH_KIND_TASKS, WatchKind.WATCH_KIND_AGENTS];
  const resumed = await cluster.watch({ epoch, sequence, kinds });
  await until(() => resumed.isComplete);
  expect(resumed.received[0]).toMatchObject({ snapshot: true, epoch });
  const { tasks } = await cluster.call("Tasks.List", { includeTerminal: true });
  const { agents } = await cluster.call("Operator.ListAgents", {});
  expect(tasks).toHaveLength(1);
  expect(resumed.snapshot.flatMap(({ task }) => (task ? [task] : [])).map(taskFacts)).toEqual(tasks.map(taskFacts));
  expect(resumed.snapshot.flatMap(({ agent }) => (agent ? [agent] : [])).map(agentFacts)).toEqual(
    agents.map(agentFacts),
  );
  // Who is not too late is told what came after, and nothing else.
  const last = resumed.received.at(-1)?.sequence ?? 0;
  const late = await cluster.watch({ epoch, sequence: last - 3, kinds: [WatchKind.WATCH_KIND_TASKS] });
  await until(() => late.events.length > 0);
  expect(late.snapshot).toEqual([]);
});

test("case 65: a reader that stops reading is cut off after ten seconds, and what it misses waits nowhere", async () => {
  const good = await cluster.watch({ kinds: [WatchKind.WATCH_KIND_TASKS] });
  const reader = deafReader();
  try {
    const plenty = { cpuMillis: 1e9, memoryMiB: 1e9, diskMiB: 0, portCount: 0, custom: {} };
    const agent = await cluster.agent("a-1", { resources: plenty });
    const framework = await cluster.framework("services");
    const note = "n".repeat(1_000);
    const labels = { first: note, second: note };
    const ids = Array.from({ length: 1_000 }, (_, index) => `t-${index}`);
    await framework.accept(
      [await framework.offer()],
      ids.map((id) => aGroup([aTask(id, { labels })])),
    );
    const rounds = 20;
    const lastId = ids.at(-1) ?? "";
    await until(() => agent.launchOf(lastId) !== undefined);
    for (let round = 1; round <= rounds; round++) {
      const like = agent.statusOf(lastId, TASK_RUNNING, round);
      const statuses = ids.map((id) => ({ ...like, taskId: id, launchId: `launch-${id}`, updateId: `${id}-${round}` }));
      await agent.say({ statuses });
      await until(() => good.received.at(-1)?.events.at(-1)?.task?.status?.updateId === `${lastId}-${round}`);
    }
    expect(reader.isCut()).toBe(false);
    await cluster.advance(11_000);
    // What the connection holds comes first: sixteen messages and what is on the wire, not all that it has missed.
    expect(await reader.readToEnd()).toBeLessThan((rounds * ids.length) / 2);
    expect(reader.isCut()).toBe(true);
    expect(good.ended).toBeUndefined();
  } finally {
    reader.close();
  }
});

/** Follows the tasks, and after its first message reads nothing until it is told to. */
function deafReader() {
  const client = new Client(cluster.address, credentials.createInsecure());
  const { path, requestSerialize, responseDeserialize } = methodDefinition("Watch.Events");
  const request = { ...emptyMessage("EventsRequest"), kinds: [WatchKind.WATCH_KIND_TASKS] };
  const call = client.makeServerStreamRequest(path, requestSerialize, responseDeserialize, request);
  let error: ServiceError | undefined;
  call.on("error", (told: ServiceError) => {
    error = told;
  });
  let count = 0;
  let isDeaf = true;
  call.on("data", ({ events }: EventsResponse) => {
    count += events.length;
    if (isDeaf) call.pause();
  });
  return {
    isCut: () => error?.code === status.RESOURCE_EXHAUSTED,
    /** How many events it had been sent. */
    readToEnd: async (): Promise<number> => {
      isDeaf = false;
      call.resume();
      await until(() => error !== undefined);
      return count;
    },
    close: () => client.close(),
  };
}

test("case 24: however often a status is sent again since acknowledgements were lost, the framework sees it once", async () => {
  const agent = await cluster.agent("a-1");
  const seen: TaskStatus[] = [];
  let launched = false;
  const scheduler: Scheduler = createScheduler(
    { clock: systemClock, random: systemRandom, transport: cluster.transport, log: silentLog },
    { address: cluster.address, framework: { name: "services", roles: ["web"] } },
    {
      offers: ([offer]) => {
        if (launched || offer === undefined) return;
        launched = true;
        scheduler.accept([offer.offerId], [aGroup([aTask("t-1")])]);
      },
      update: (status) => void seen.push(status),
    },
  );
  try {
    scheduler.start();
    await until(() => agent.launchOf("t-1") !== undefined);
    const running = agent.statusOf("t-1", TASK_RUNNING, 1);
    const finished = agent.statusOf("t-1", TASK_FINISHED, 2, { exitCode: 0 });
    const acknowledged = (updateId: string): number =>
      agent.all("acknowledgements").filter((one) => one.updateId === updateId).length;
    for (const status of [running, finished])
      for (let time = 1; time <= 3; time++) {
        await agent.say({ statuses: [status] });
        // Each is acknowledged anew, since the agent has not heard of the one before.
        await until(() => acknowledged(status.updateId) >= (status === running ? time : 1));
      }
    const own = seen.filter(({ updateId }) => updateId !== "");
    expect(own.map(({ updateId }) => updateId)).toEqual([running.updateId, finished.updateId]);
  } finally {
    scheduler.stop();
  }
});

test("case 28: the tasks of a framework that is gone end at its timeout, also if the leader changes meanwhile", async () => {
  const framework = await cluster.framework("services", { failoverTimeoutMs: 100_000 });
  const agent = await cluster.agent("a-1");
  await framework.accept([await framework.offer()], [aGroup([aTask("t-1")])]);
  const running = await agent.report("t-1", TASK_RUNNING, 1);
  await framework.drop();
  await cluster.advance(20_000);
  cluster = await cluster.failOver();
  const back = await cluster.agent("a-1", {}, [agent.reportOf(running)]);
  // Of a hundred seconds eighty are left: the time under the first leader counts.
  await cluster.advance(79_900);
  expect(back.all("frameworksRemoved")).toEqual([]);
  await cluster.advance(200);
  expect(back.all("frameworksRemoved")).toEqual([framework.id]);
});

test("case 29: after an election the fate of a task whose agent is not back is in doubt, then told", async () => {
  const agent = await cluster.agent("a-1");
  await cluster.agent("a-2");
  const framework = await cluster.framework("services");
  const offers = [await framework.offer(), await framework.offer()];
  for (const offer of offers) await framework.accept([offer], [aGroup([aTask(`on-${offer.agentId}`)])]);
  const running = await agent.report("on-a-1", TASK_RUNNING, 1);
  cluster = await cluster.failOver();
  const back = await cluster.framework("services", { frameworkId: framework.id });
  const tasks = ["a-1", "a-2"].map((agentId) => ({ taskId: `on-${agentId}`, agentId }));
  const unknown = { taskId: "never", agentId: "a-1" };
  await back.say({ reconciles: [{ reconcileId: "r-1", tasks: [...tasks, unknown] }] });
  expect(back.all("updates")).toEqual([]);
  expect(back.all("reconciled")).toMatchObject([{ complete: false, inDoubt: [...tasks, unknown] }]);
  await cluster.agent("a-1", {}, [agent.reportOf(running)]);
  await back.say({ reconciles: [{ reconcileId: "r-2", tasks: [...tasks, unknown] }] });
  expect(back.updatesOf("on-a-1").at(-1)?.state).toBe(TASK_RUNNING);
  expect(back.updatesOf("never").at(-1)?.state).toBe(TaskState.TASK_GONE);
  expect(back.updatesOf("on-a-2")).toEqual([]);
  await cluster.advance(75_000);
  await back.say({ reconciles: [{ reconcileId: "r-3", tasks }] });
  expect(back.updatesOf("on-a-2").at(-1)?.state).toBe(TASK_UNREACHABLE);
  expect(back.all("reconciled").at(-1)).toMatchObject({ complete: true, inDoubt: [] });
});

test("case 31: while the store is down for 30 s statuses and the feed go on, a write is UNAVAILABLE, and all is well after", async () => {
  const agent = await cluster.agent("a-1");
  const framework = await cluster.framework("services");
  const watch = await cluster.watch({ kinds: [WatchKind.WATCH_KIND_TASKS] });
  cluster.storeFault = new MusterError("unavailable", "the store does not answer");
  // A launch costs no write.
  await framework.accept([await framework.offer()], [aGroup([aTask("t-1")])]);
  const write = () =>
    cluster.call("State.Transact", { framework: "services", changes: [{ key: "jobs/web", put: Buffer.from("{}") }] });
  for (let second = 10; second <= 30; second += 10) {
    await cluster.advance(10_000);
    await expect(write(), `${second} s`).rejects.toMatchObject({ kind: "unavailable" });
    const status = await agent.report("t-1", TASK_RUNNING, second / 10);
    expect(framework.updatesOf("t-1").at(-1)?.updateId).toBe(status.updateId);
    await until(() => watch.events.at(-1)?.task?.status?.updateId === status.updateId);
  }
  expect(cluster.failed).toBeUndefined();
  cluster.storeFault = undefined;
  await expect(write()).resolves.toMatchObject({ versions: [1] });
  expect(framework.updatesOf("t-1").filter(({ reason }) => reason === StatusReason.REASON_RECONCILIATION)).toEqual([]);
});

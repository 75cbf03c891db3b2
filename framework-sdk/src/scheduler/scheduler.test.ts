import {
  emptyMessage,
  type GrpcServer,
  type GrpcTransport,
  grpcTransport,
  MusterError,
  type Outlet,
  seededRandom,
  serveGrpc,
  silentLog,
  systemClock,
} from "@muster/foundation";
import { type Offer, type SubscribeRequest, type SubscribeResponse, TaskState, type TaskStatus } from "@muster/proto";
import { afterEach, beforeEach, expect, test } from "vitest";
import { createScheduler } from "./scheduler.ts";
import type { Scheduler, SchedulerHandler } from "./types.ts";

const { TASK_RUNNING, TASK_FINISHED, TASK_DROPPED } = TaskState;

/** The master's end of the wire, led by the test: real sockets, real codecs. */
class Script {
  readonly received: SubscribeRequest[] = [];
  readonly sessions: Outlet<SubscribeResponse>[] = [];
  readonly entries = new Map<string, Buffer>();
  epoch = 1;
  #sequence = 0;
  #server: GrpcServer | undefined;
  address = "";

  start(): Promise<void> {
    return new Promise((done, failed) => {
      this.#server = serveGrpc(
        {
          "Scheduling.Subscribe": (outlet) => {
            this.sessions.push(outlet);
            this.#sequence = 0;
            return { receive: (message) => this.received.push(message), drained: () => {}, closed: () => {} };
          },
          "State.Get": ({ key }, _peer, respond) => {
            const value = this.entries.get(key);
            if (value) respond({ ok: true, value: { entry: { key, value, version: 1 } } });
            else respond({ ok: false, error: new MusterError("not-found", "no entry") });
            return undefined;
          },
          "State.Transact": ({ changes }, _peer, respond) => {
            for (const { key, put } of changes) if (put) this.entries.set(key, Buffer.from(put));
            respond({ ok: true, value: { versions: changes.map(() => 1) } });
            return undefined;
          },
        },
        {
          address: "127.0.0.1:0",
          log: silentLog,
          listening: (result) => {
            if (result instanceof Error) return failed(result);
            this.address = result.address;
            done();
          },
        },
      );
    });
  }

  stop(): Promise<void> {
    return new Promise((done) => (this.#server ? this.#server.close(done) : done()));
  }

  send(fields: Partial<SubscribeResponse>): void {
    const header = { epoch: this.epoch, connection: this.sessions.length, sequence: ++this.#sequence };
    this.sessions.at(-1)?.send({ ...emptyMessage("SubscribeResponse"), header, ...fields });
  }

  async admit(count = 1): Promise<void> {
    await until(() => this.sessions.length >= count && this.subscriptions().length >= count);
    const frameworkId = this.subscriptions().at(-1)?.frameworkId ?? "";
    this.send({
      subscribed: { frameworkId, heartbeatIntervalMs: 15_000, clusterId: "c", limits: {}, agentsAwaited: [] },
    });
  }

  subscriptions() {
    return this.received.flatMap(({ subscription }) => (subscription ? [subscription] : []));
  }

  acknowledged(): string[] {
    return this.received.flatMap(({ acknowledgements }) => acknowledgements.map(({ updateId }) => updateId));
  }
}

async function until(condition: () => boolean): Promise<void> {
  const deadline = Date.now() + 5_000;
  while (!condition()) {
    if (Date.now() > deadline) throw new Error(`still not so: ${condition}`);
    await new Promise((resume) => setTimeout(resume, 2));
  }
}

let script: Script;
let transport: GrpcTransport;
const started: Scheduler[] = [];

beforeEach(async () => {
  script = new Script();
  transport = grpcTransport();
  await script.start();
});

afterEach(async () => {
  for (const scheduler of started.splice(0)) scheduler.stop();
  transport.close();
  await script.stop();
});

function start(handler: Partial<SchedulerHandler>, durable = false): Scheduler {
  const runtime = { clock: systemClock, random: seededRandom("test"), transport, log: silentLog };
  const config = { address: script.address, framework: { name: "f", roles: ["r"] }, durable };
  const scheduler = createScheduler(runtime, config, { offers: () => {}, update: () => {}, ...handler });
  started.push(scheduler);
  scheduler.start();
  return scheduler;
}

const status = (fields: Partial<TaskStatus>): TaskStatus => ({
  ...emptyMessage("TaskStatus"),
  taskId: "t",
  launchId: "l",
  agentId: "a",
  state: TASK_RUNNING,
  ...fields,
});
const offer = (offerId: string): Offer => ({ ...emptyMessage("Offer"), offerId, agentId: "a", role: "r" });
const group = (taskId: string) => ({
  launchId: `l-${taskId}`,
  tasks: [{ ...emptyMessage("TaskInfo"), taskId }],
  ports: [],
  moreNetworks: [],
  networkMode: "",
  network: null,
  executor: null,
  isExecutor: false,
  volumes: [],
});

test("a durable framework's id is in State before it subscribes, and the same after a restart", async () => {
  start({}, true);
  await until(() => script.subscriptions().length === 1);
  const id = script.subscriptions()[0]?.frameworkId;
  expect(script.entries.get("sdk/framework-id")?.toString()).toBe(id);
  start({}, true);
  await until(() => script.subscriptions().length === 2);
  expect(script.subscriptions()[1]?.frameworkId).toBe(id);
});

test("an update is acknowledged after the handler, once for each time it is sent, and handed on once", async () => {
  const seen: TaskStatus[] = [];
  start({ update: (one) => void seen.push(one) });
  await script.admit();
  const update = status({ sequence: 1, updateId: "u1" });
  script.send({ updates: [update] });
  script.send({ updates: [update] });
  await until(() => script.acknowledged().length === 2);
  expect(seen).toHaveLength(1);
});

test("an update that the handler keeps for later is acknowledged only when it says so", async () => {
  const seen: TaskStatus[] = [];
  const scheduler = start({
    update: (one) => {
      seen.push(one);
      return one.taskId === "t" ? "later" : undefined;
    },
  });
  await script.admit();
  const update = status({ sequence: 1, updateId: "u1" });
  script.send({ updates: [update, update, status({ taskId: "other", sequence: 1, updateId: "u2" })] });
  await until(() => script.acknowledged().length === 1);
  expect(script.acknowledged()).toEqual(["u2"]);
  scheduler.acknowledge(seen[0] as TaskStatus);
  await until(() => script.acknowledged().length === 2);
});

test("every session begins with questions about each known task and about all, until nothing is in doubt", async () => {
  const rounds: boolean[] = [];
  const scheduler = start({ reconciled: ({ complete }) => void rounds.push(complete) });
  await script.admit();
  script.send({ updates: [status({ sequence: 1, updateId: "u" })] });
  const questions = () => script.received.flatMap(({ reconciles }) => reconciles);
  await until(() => scheduler.liveTaskCount === 1 && questions().length === 1);
  script.sessions[0]?.end();
  await script.admit(2);
  await until(() => questions().length >= 3);
  const [explicit, implicit] = questions().slice(-2);
  expect(explicit?.tasks).toEqual([{ taskId: "t", agentId: "a" }]);
  expect(implicit?.tasks).toEqual([]);
  const end = (reconcileId: string, inDoubt: { taskId: string; agentId: string }[]) => ({
    reconcileId,
    complete: inDoubt.length === 0,
    inDoubt,
    agentsAwaited: [],
  });
  script.send({
    reconciled: [
      end(explicit?.reconcileId ?? "", [{ taskId: "t", agentId: "a" }]),
      end(implicit?.reconcileId ?? "", []),
    ],
  });
  await until(() => rounds.length === 1);
  expect(scheduler.inDoubt()).toEqual([{ taskId: "t", agentId: "a" }]);
  await until(() => questions().length >= 5);
  script.send({
    reconciled: questions()
      .slice(-2)
      .map(({ reconcileId }) => end(reconcileId, [])),
  });
  await until(() => rounds.length === 2);
  expect(rounds).toEqual([false, true]);
});

test("what is asked for in one tick goes out in one message, in the order of the calls", async () => {
  let scheduler: Scheduler | undefined;
  scheduler = start({
    offers: (offers) => {
      for (const { offerId } of offers) scheduler?.accept([offerId], [group(offerId)]);
    },
  });
  await script.admit();
  const before = script.received.length;
  script.send({ offers: Array.from({ length: 50 }, (_, index) => offer(`o${index}`)) });
  await until(() => script.received.some(({ accepts }) => accepts.length > 0));
  const accepts = script.received.slice(before).filter((message) => message.accepts.length > 0);
  expect(accepts.map((message) => message.accepts.length)).toEqual([50]);
  expect(accepts[0]?.accepts[7]?.offerIds).toEqual(["o7"]);
});

test("twenty thousand launches of one turn go out in the session in which they were decided", async () => {
  const taskIds = new Set<string>();
  const scheduler = start({ offers: (offers) => offers.forEach(({ offerId }) => void launch(offerId)) });
  const launch = (offerId: string): void => {
    const groups = Array.from({ length: 50 }, (_, index) => {
      const one = group(`${offerId}-${index}`);
      return { ...one, tasks: one.tasks.map((task) => ({ ...task, spec: Buffer.alloc(600) })) };
    });
    scheduler.accept([offerId], groups);
  };
  await script.admit();
  script.send({ offers: Array.from({ length: 400 }, (_, index) => offer(`o${index}`)) });
  await until(() => {
    for (const { accepts } of script.received.splice(0))
      for (const { operations } of accepts)
        for (const { launch: launched } of operations)
          for (const { tasks } of launched?.groups ?? []) for (const { taskId } of tasks) taskIds.add(taskId);
    return taskIds.size === 20_000;
  });
  expect(script.sessions).toHaveLength(1);
});

test("a launch without a session is answered by TASK_DROPPED", async () => {
  const seen: TaskStatus[] = [];
  const scheduler = start({ update: (one) => void seen.push(one) });
  scheduler.accept(["o"], [group("x")]);
  await until(() => seen.length === 1);
  expect(seen[0]).toMatchObject({ taskId: "x", launchId: "l-x", state: TASK_DROPPED });
});

test("a kill is told again after a reconnection until the task has ended", async () => {
  const scheduler = start({});
  await script.admit();
  script.send({ updates: [status({ sequence: 1, updateId: "u" })] });
  await until(() => scheduler.liveTaskCount === 1);
  scheduler.kill("t");
  const kills = () => script.received.flatMap((message) => message.kills.map(({ taskId }) => taskId));
  await until(() => kills().length === 1);
  script.sessions[0]?.end();
  await script.admit(2);
  await until(() => kills().length === 2);
  script.send({ updates: [status({ state: TASK_FINISHED, sequence: 2, updateId: "v" })] });
  await until(() => scheduler.liveTaskCount === 0);
  script.sessions[1]?.end();
  await script.admit(3);
  await until(() => scheduler.isSubscribed);
  expect(kills()).toEqual(["t", "t"]);
});

test("a kill that a master can't judge yet is told again in the same session until the task has ended", async () => {
  const scheduler = start({});
  await script.admit();
  script.send({ updates: [status({ sequence: 1, updateId: "u" })] });
  await until(() => scheduler.liveTaskCount === 1);
  scheduler.kill("t");
  const kills = () => script.received.flatMap((message) => message.kills.map(({ taskId }) => taskId));
  const refuse = (kind: string) => {
    const refusal = { kind, message: "in doubt: its agent is not back yet", field: "", retryAfterMs: 0 };
    script.send({ refusals: [{ call: "kill", subjectId: "t", refusal }] });
  };
  for (let count = 1; count <= 2; count++) {
    await until(() => kills().length === count);
    refuse("unavailable");
  }
  await until(() => kills().length === 3);
  script.send({ updates: [status({ state: TASK_FINISHED, sequence: 2, updateId: "v" })] });
  await until(() => scheduler.liveTaskCount === 0);
  refuse("unavailable");
  await new Promise((resume) => setTimeout(resume, 1_200));
  expect(kills()).toEqual(["t", "t", "t"]);
  expect(script.sessions).toHaveLength(1);
});

test("a master of a lower epoch is left at once", async () => {
  const scheduler = start({});
  script.epoch = 7;
  await script.admit();
  await until(() => scheduler.isSubscribed);
  script.sessions[0]?.end();
  script.epoch = 6;
  await script.admit(2);
  await until(() => script.sessions.length >= 3);
  expect(scheduler.isSubscribed).toBe(false);
  expect(script.subscriptions().at(-1)?.epochSeen).toBe(7);
});

test("roles that want nothing stay suppressed over reconnections", async () => {
  const scheduler = start({});
  await script.admit();
  await until(() => scheduler.isSubscribed);
  scheduler.suppress();
  await until(() => script.received.some(({ suppresses }) => suppresses.length > 0));
  script.sessions[0]?.end();
  await until(() => script.subscriptions().length === 2);
  expect(script.subscriptions()[1]?.suppressedRoles).toEqual(["r"]);
});

test("what is revived while a session is being opened is revived in it", async () => {
  const scheduler = start({});
  scheduler.suppress();
  await until(() => script.subscriptions().length === 1);
  script.sessions.at(-1)?.end(new MusterError("unavailable", "away"));
  await until(() => script.subscriptions().length === 2);
  expect(script.subscriptions()[1]?.suppressedRoles).toEqual(["r"]);
  scheduler.revive();
  await script.admit(2);
  await until(() => script.received.some(({ revives }) => revives.some(({ roles }) => roles.includes("r"))));
});

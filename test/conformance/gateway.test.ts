import {
  codecOf,
  emptyMessage,
  type GrpcServer,
  MusterError,
  type Outlet,
  type RequestOf,
  type ResponseOf,
  serveGrpc,
  silentLog,
} from "@muster/foundation";
import type { JobCall, Messages } from "@muster/proto";
import { TaskState } from "@muster/proto";
import { afterEach, beforeEach, expect, test } from "vitest";
import { aGroup, aTask, Cluster, type FrameworkClient, until } from "./harness.ts";

let cluster: Cluster;
beforeEach(async () => {
  cluster = await Cluster.start();
});
afterEach(() => cluster.close());

/** A framework's side of the relay: answers what `answer` says. */
class OwnerClient {
  readonly calls: JobCall[] = [];
  readonly cancelled: number[] = [];
  ended: MusterError | "ended" | undefined;
  readonly #outlet: Outlet<RequestOf<"Jobs.Serve">>;

  constructor(framework: FrameworkClient, jobTypes: string[], answer: (call: JobCall) => Buffer | string | undefined) {
    this.#outlet = framework.cluster.transport.open("Jobs.Serve", framework.cluster.address, {
      receive: (message) => {
        this.cancelled.push(...message.cancelledCallIds);
        for (const call of message.calls) {
          this.calls.push({ ...call, payload: Buffer.from(call.payload) });
          const reply = answer(call);
          if (typeof reply === "string") this.refuse(call.callId, reply);
          else if (reply) this.reply(call.callId, reply, true);
        }
      },
      drained: () => {},
      closed: (error) => {
        this.ended ??= error ?? "ended";
      },
    });
    this.#send({ announcement: { frameworkId: framework.id, jobTypes } });
  }

  #send(message: Partial<RequestOf<"Jobs.Serve">>): void {
    this.#outlet.send({ ...emptyMessage("ServeRequest"), ...message });
  }

  reply(callId: number, payload: Buffer, end: boolean): void {
    this.#send({ replies: [{ callId, payload, refusal: null, end }] });
  }

  refuse(callId: number, kind: string): void {
    const refusal = { kind, message: `refused: ${kind}`, field: "", retryAfterMs: 0 };
    this.#send({ replies: [{ callId, payload: Buffer.alloc(0), refusal, end: true }] });
  }

  close(): void {
    this.#outlet.end(new MusterError("cancelled", "gone"));
  }
}

function answering(jobs: Record<string, Messages["JobSummary"]>): (call: JobCall) => Buffer | string {
  return (call) => {
    if (call.method === "List")
      return codecOf("JobsListResponse").encode({ jobs: Object.values(jobs), typesUnavailable: [] });
    if (call.method === "Run") return codecOf("RunResponse").encode({ version: 1, changed: true, warnings: [] });
    const { name } = codecOf("JobsGetRequest").decode(call.payload);
    const summary = jobs[name];
    if (summary === undefined) return "not-found";
    return codecOf("JobsGetResponse").encode({ job: { ...emptyMessage("JobStatus"), summary } });
  };
}

const aJob = (name: string, type: string) => ({ ...emptyMessage("JobSummary"), name, type });
const submission = (name: string, type: string) => ({ job: { ...emptyMessage("JobSubmission"), name, type } });

async function twoOwners() {
  const services = await cluster.framework("services", { jobTypes: ["service"] });
  const cron = await cluster.framework("cron", { jobTypes: ["batch"] });
  const owners = {
    services: new OwnerClient(services, ["service"], answering({ web: aJob("web", "service") })),
    cron: new OwnerClient(cron, ["batch"], answering({ nightly: aJob("nightly", "batch") })),
  };
  await cluster.settle();
  return owners;
}

test("a job goes to the framework that announced its type, with bytes as they were sent", async () => {
  const { services, cron } = await twoOwners();
  expect(await cluster.call("Jobs.Run", submission("new", "service"))).toMatchObject({ version: 1, changed: true });
  const run = services.calls.find((call) => call.method === "Run");
  expect(codecOf("RunRequest").decode(run?.payload ?? Buffer.alloc(0)).job).toMatchObject({ name: "new" });
  expect(run).toMatchObject({ principal: "local", deadlineMs: 20_000 });
  expect(cron.calls.map((call) => call.method)).toEqual(["Get"]);
});

test("a name that another type has is refused", async () => {
  await twoOwners();
  await expect(cluster.call("Jobs.Run", submission("nightly", "service"))).rejects.toMatchObject({
    kind: "exists",
    field: "job.name",
  });
});

test("a job is found wherever it is, lists are joined, and nobody has what nobody has", async () => {
  await twoOwners();
  expect((await cluster.call("Jobs.Get", { name: "nightly" })).job?.summary?.type).toBe("batch");
  const list = await cluster.call("Jobs.List", { type: "", prefix: "" });
  expect(list.jobs.map((job) => job.name)).toEqual(["nightly", "web"]);
  expect(list.typesUnavailable).toEqual([]);
  await expect(cluster.call("Jobs.Get", { name: "none" })).rejects.toMatchObject({ kind: "not-found" });
  await expect(cluster.call("Jobs.Run", submission("x", "exotic"))).rejects.toMatchObject({
    kind: "invalid",
    field: "job.type",
    message: expect.stringContaining("batch, service"),
  });
});

test("while an owner is away its jobs are unavailable, never unknown", async () => {
  const { cron } = await twoOwners();
  cron.close();
  await cluster.settle();
  expect((await cluster.call("Jobs.Get", { name: "web" })).job?.summary?.name).toBe("web");
  await expect(cluster.call("Jobs.Get", { name: "nightly" })).rejects.toMatchObject({
    kind: "unavailable",
    message: expect.stringContaining("framework cron"),
  });
  const list = await cluster.call("Jobs.List", { type: "", prefix: "" });
  expect(list.typesUnavailable).toEqual(["batch"]);
  await expect(cluster.call("Jobs.Run", submission("x", "batch"))).rejects.toMatchObject({ kind: "unavailable" });
});

test("a type has one owner; when he is away another may take it", async () => {
  const { services } = await twoOwners();
  const rival = await cluster.framework("rival");
  const refused = new OwnerClient(rival, ["service"], () => undefined);
  await until(() => refused.ended !== undefined);
  expect(refused.ended).toMatchObject({ kind: "exists", field: "announcement.job_types[0]" });
  services.close();
  await cluster.settle();
  const taken = new OwnerClient(rival, ["service"], answering({}));
  await cluster.settle();
  expect(taken.ended).toBeUndefined();
});

test("a call that is not answered in time is over, and its framework is told", async () => {
  const framework = await cluster.framework("services");
  const owner = new OwnerClient(framework, ["service"], () => undefined);
  await cluster.settle();
  const call = cluster.call("Jobs.Plan", submission("x", "service"));
  call.catch(() => {});
  await until(() => owner.calls.length === 1);
  await cluster.advance(20_000);
  await expect(call).rejects.toMatchObject({ kind: "too-late" });
  await until(() => owner.cancelled.length === 1);
});

test("a watch of a job follows whoever has it, until the watcher leaves", async () => {
  const status = (running: number) =>
    codecOf("JobsWatchResponse").encode({
      job: { ...emptyMessage("JobStatus"), summary: { ...aJob("web", "service"), running } },
    });
  const services = await cluster.framework("services");
  const owner = new OwnerClient(services, ["service"], () => undefined);
  const cron = await cluster.framework("cron");
  new OwnerClient(cron, ["batch"], () => "not-found");
  await cluster.settle();
  const seen: number[] = [];
  let ended = false;
  const leave = cluster.transport.follow(
    "Jobs.Watch",
    cluster.address,
    { name: "web" },
    {
      receive: (message: ResponseOf<"Jobs.Watch">) => void seen.push(message.job?.summary?.running ?? -1),
      drained: () => {},
      closed: () => {
        ended = true;
      },
    },
  );
  await until(() => owner.calls.length === 1);
  const callId = owner.calls[0]?.callId ?? 0;
  owner.reply(callId, status(0), false);
  await until(() => seen.length === 1);
  owner.reply(callId, status(3), false);
  await until(() => seen.length === 2);
  expect(seen).toEqual([0, 3]);
  leave();
  await until(() => owner.cancelled.includes(callId));
  expect(ended).toBe(false);
});

test("State: versions guard every change, all or none, and each framework sees its own keys", async () => {
  const put = (key: string, text: string, version?: number) => ({
    key,
    put: Buffer.from(text),
    change: "put" as const,
    ...(version === undefined ? {} : { version }),
  });
  const call = (framework: string, changes: Messages["StateChange"][]) =>
    cluster.call("State.Transact", { framework, changes });
  expect((await call("a", [put("x", "1", 0), put("y", "2")])).versions).toEqual([1, 1]);
  await expect(call("a", [put("z", "3"), put("x", "9", 0)])).rejects.toMatchObject({
    kind: "stale",
    field: "changes[1].version",
  });
  await expect(cluster.call("State.Get", { framework: "a", key: "z" })).rejects.toMatchObject({ kind: "not-found" });
  await expect(cluster.call("State.Get", { framework: "b", key: "x" })).rejects.toMatchObject({ kind: "not-found" });
  const removal = { key: "y", delete: true, change: "delete" as const };
  const check = { key: "x", check: true, change: "check" as const, version: 1 };
  expect((await call("a", [removal, check, put("w", "4")])).versions).toEqual([0, 1, 1]);
  const { entries, more } = await cluster.call("State.List", { framework: "a", prefix: "", after: "", limit: 1 });
  expect(entries.map(({ key, value, version }) => [key, value.toString(), version])).toEqual([["w", "4", 1]]);
  expect(more).toBe(true);
  const rest = await cluster.call("State.List", { framework: "a", prefix: "", after: "w", limit: 0 });
  expect(rest.entries.map((entry) => entry.key)).toEqual(["x"]);
  await expect(call("a/b", [])).rejects.toMatchObject({ kind: "invalid", field: "framework" });
  await expect(call("a", [put("k", "1"), put("k", "2")])).rejects.toMatchObject({ field: "changes[1].key" });
  await expect(call("a", [put("k", "x".repeat(262_145))])).rejects.toMatchObject({ field: "changes[0].put" });
});

test("logs and exec of a task are piped from its agent, also after its end", async () => {
  const seen: string[] = [];
  const server = await new Promise<{ server: GrpcServer; address: string }>((resolve, reject) => {
    const started = serveGrpc(
      {
        "Tasks.Logs": (request, outlet) => {
          seen.push(`${request.frameworkId} ${request.taskId}`);
          outlet.send({ stream: 1, data: Buffer.from("hello"), writtenAt: 0, gap: false });
          outlet.end();
          return { receive: () => {}, drained: () => {}, closed: () => {} };
        },
        "Tasks.Exec": (outlet) => ({
          receive: (message) => {
            if (message.start) outlet.send({ ...emptyMessage("ExecResponse"), stdout: Buffer.from("started ") });
            else outlet.send({ ...emptyMessage("ExecResponse"), stdout: Buffer.from(message.stdin) });
            if (!message.stdinEnd) return;
            outlet.send({ ...emptyMessage("ExecResponse"), end: { exitCode: 3, signal: "" } });
            outlet.end();
          },
          drained: () => {},
          closed: () => {},
        }),
      },
      {
        address: "127.0.0.1:0",
        log: silentLog,
        listening: (result) =>
          result instanceof MusterError ? reject(result) : resolve({ server: started, address: result.address }),
      },
    );
  });
  const agent = await cluster.agent("a-1", { address: server.address });
  const framework = await cluster.framework("services");
  await framework.accept([await framework.offer()], [aGroup([aTask("t-1")])]);
  await framework.acknowledge(await agent.report("t-1", TaskState.TASK_FINISHED, 1));
  const data: string[] = [];
  let closed: MusterError | "ended" | undefined;
  cluster.transport.follow(
    "Tasks.Logs",
    cluster.address,
    { ...emptyMessage("LogsRequest"), taskId: "t-1" },
    {
      receive: (message) => void data.push(message.data.toString()),
      drained: () => {},
      closed: (error) => {
        closed = error ?? "ended";
      },
    },
  );
  await until(() => closed !== undefined);
  expect([closed, data, seen]).toEqual(["ended", ["hello"], [`${framework.id} t-1`]]);

  let output = "";
  let exitCode: number | undefined;
  const exec = cluster.transport.open("Tasks.Exec", cluster.address, {
    receive: (message) => {
      output += message.stdout.toString();
      exitCode ??= message.end?.exitCode;
    },
    drained: () => {},
    closed: () => {},
  });
  const start = { ...emptyMessage("ExecStart"), taskId: "t-1", command: ["cat"] };
  exec.send({ ...emptyMessage("ExecRequest"), start });
  exec.send({ ...emptyMessage("ExecRequest"), stdin: Buffer.from("in"), stdinEnd: true });
  await until(() => exitCode !== undefined);
  expect([output, exitCode]).toEqual(["started in", 3]);
  const missing = await cluster.call("Tasks.Kill", { frameworkId: "", taskId: "none" }).catch((error) => error);
  expect(missing).toMatchObject({ kind: "not-found" });
  await new Promise<void>((resolve) => server.server.close(resolve));
});

test("an operation that says nothing is refused, and what comes after it is not done", async () => {
  const framework = await cluster.framework("services");
  await cluster.agent("a-1");
  const offer = await framework.offer();
  await framework.say({
    accepts: [
      {
        offerIds: [offer.offerId],
        operations: [
          { operationId: "o-1" },
          { operationId: "", launch: { groups: [aGroup([aTask("t-1")])] }, kind: "launch" },
        ],
        filters: null,
      },
    ],
  });
  expect(framework.all("operationResults")).toMatchObject([{ operationId: "o-1", refusal: { kind: "invalid" } }]);
  expect(framework.updatesOf("t-1")).toMatchObject([{ state: TaskState.TASK_DROPPED }]);
});

test("operators see offers, roles and everything at once", async () => {
  await cluster.agent("a-1");
  const framework = await cluster.framework("services");
  await framework.offer();
  const { offers } = await cluster.call("Operator.ListOffers", {});
  expect(offers).toMatchObject([{ agentId: "a-1", frameworkId: framework.id, role: "web" }]);
  const { roles } = await cluster.call("Operator.ListRoles", {});
  expect(roles).toMatchObject([
    { role: "web", weightMillis: 1_000, dominantShareMillionths: 1_000_000, offered: { cpuMillis: 4_000 } },
  ]);
  const parts: Messages["SnapshotResponse"][] = [];
  let ended = false;
  cluster.transport.follow(
    "Operator.Snapshot",
    cluster.address,
    {},
    {
      receive: (part: Messages["SnapshotResponse"]) => void parts.push(part),
      drained: () => {},
      closed: () => {
        ended = true;
      },
    },
  );
  await until(() => ended);
  expect(parts.flatMap((part) => part.agents)).toHaveLength(1);
  expect(parts.flatMap((part) => part.frameworks)).toHaveLength(1);
});

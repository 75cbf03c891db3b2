import { emptyMessage, MusterError, type Outlet } from "@muster/foundation";
import {
  type CatalogEntry,
  type CatalogFollowRequest,
  type CatalogFollowResponse,
  CatalogKind,
  type CatalogSubject,
  Health,
  type ServiceEndpoint,
  type TaskInfo,
  TaskState,
} from "@muster/proto";
import { afterEach, beforeEach, expect, test } from "vitest";
import { type AgentClient, aGroup, aTask, Cluster, until } from "./harness.ts";

let cluster: Cluster;
beforeEach(async () => {
  cluster = await Cluster.start();
});
afterEach(() => cluster.close());

const service = (name: string): CatalogSubject => ({ kind: CatalogKind.CATALOG_KIND_SERVICE, name });
const services: CatalogSubject = { kind: CatalogKind.CATALOG_KIND_SERVICES, name: "" };
const key = (name: string): CatalogSubject => ({ kind: CatalogKind.CATALOG_KIND_KEY, name });
const keys = (name: string): CatalogSubject => ({ kind: CatalogKind.CATALOG_KIND_KEYS, name });

class Reader {
  readonly received: CatalogFollowResponse[] = [];
  ended: MusterError | "ended" | undefined;
  readonly #outlet: Outlet<CatalogFollowRequest>;

  constructor(...subjects: CatalogSubject[]) {
    this.#outlet = cluster.transport.open("Catalog.Follow", cluster.address, {
      receive: (message) => this.received.push(message),
      drained: () => {},
      closed: (error) => {
        this.ended ??= error ?? "ended";
      },
    });
    this.want(...subjects);
  }

  want(...subjects: CatalogSubject[]): void {
    this.#outlet.send({ subjects });
  }

  leave(): void {
    this.#outlet.end();
  }

  /** What was told of a subject, in its order. */
  told({ kind, name }: CatalogSubject): CatalogEntry[] {
    const all = this.received.flatMap(({ entries }) => entries);
    return all.filter(({ subject }) => subject?.kind === kind && subject.name === name);
  }

  async next(subject: CatalogSubject, count: number): Promise<CatalogEntry> {
    await until(() => this.told(subject).length >= count);
    return this.told(subject)[count - 1] as CatalogEntry;
  }
}

async function setKey(path: string, value: string | undefined): Promise<void> {
  const change = value === undefined ? { delete: true } : { put: Buffer.from(value) };
  const changes = [{ ...emptyMessage("StateChange"), key: path, ...change }];
  await cluster.call("State.Transact", { framework: "keys", changes });
}

function endpoint(name: string, portLabel = "http", tags: string[] = []): ServiceEndpoint {
  return { name, portLabel, protocol: "tcp", tags, meta: { zone: "north" } };
}

function task(id: string, endpoints: ServiceEndpoint[], labels: Record<string, string> = { job: "shop" }) {
  return aTask(id, { discovery: { endpoints }, labels });
}

/** A group with a port that its services name. */
function group(tasks: readonly TaskInfo[]) {
  return aGroup(tasks, { ports: [{ ...emptyMessage("PortRequest"), label: "http" }] });
}

async function run(
  agent: AgentClient,
  id: string,
  sequence: number,
  health: Health = Health.HEALTH_UNSPECIFIED,
): Promise<void> {
  const status = agent.statusOf(id, TaskState.TASK_RUNNING, sequence);
  const port = { label: "http", number: 20_001, to: 80, protocol: "tcp", ip: "10.0.0.7" };
  agent.send({ statuses: [{ ...status, health, container: { pid: 1, ips: [], ports: [port], networks: [] } }] });
  await cluster.settle();
}

const pairs = ({ keys: found }: CatalogEntry): string[] => found.map(({ path, value }) => `${path}=${value}`);
const ids = ({ instances }: CatalogEntry): string[] => instances.map(({ taskId }) => taskId);

test("keys are told as they are, also where there is none, and again after each change", async () => {
  await setKey("app/color", "blue");
  const reader = new Reader(key("app/color"), key("app/none"), keys("app"), keys(""));
  expect(pairs(await reader.next(key("app/color"), 1))).toEqual(["app/color=blue"]);
  expect(pairs(await reader.next(key("app/none"), 1))).toEqual([]);
  expect(pairs(await reader.next(keys("app"), 1))).toEqual(["app/color=blue"]);
  await setKey("app/color", "red");
  expect(pairs(await reader.next(key("app/color"), 2))).toEqual(["app/color=red"]);
  await setKey("app/deep/er", "x");
  expect(pairs(await reader.next(keys("app"), 3))).toEqual(["app/color=red", "app/deep/er=x"]);
  expect(pairs(await reader.next(keys(""), 3))).toEqual(["app/color=red", "app/deep/er=x"]);
  await setKey("app/color", undefined);
  expect(pairs(await reader.next(key("app/color"), 3))).toEqual([]);
  // What begins alike lies in another folder.
  await setKey("apple", "x");
  await reader.next(keys(""), 5);
  expect(reader.told(keys("app")).length).toBe(4);
});

test("who wants something else is told that, and of the rest no more", async () => {
  await setKey("a", "1");
  const reader = new Reader(key("a"));
  await reader.next(key("a"), 1);
  reader.want(key("b"));
  await reader.next(key("b"), 1);
  await setKey("a", "2");
  await setKey("b", "2");
  await reader.next(key("b"), 2);
  expect(reader.told(key("a")).length).toBe(1);
  // Wanted again it is told anew.
  reader.want(key("a"), key("b"));
  expect(pairs(await reader.next(key("a"), 2))).toEqual(["a=2"]);
  expect(reader.told(key("b")).length).toBe(2);
});

test("a service is told with those instances that run and pass their checks", async () => {
  const agent = await cluster.agent("a-1");
  const framework = await cluster.framework("services");
  const reader = new Reader(service("web"), service("none"), services);
  expect(ids(await reader.next(service("web"), 1))).toEqual([]);
  expect(ids(await reader.next(service("none"), 1))).toEqual([]);
  const checked = { job: "shop", "muster.checks": "1" };
  const tasks = [
    task("t-1", [endpoint("web", "http", ["v1"]), endpoint("admin", "")]),
    task("t-2", [endpoint("web")], checked),
    aTask("t-3", { name: "bare" }),
  ];
  await framework.accept([await framework.offer()], [group(tasks)]);
  for (const [index, id] of ["t-1", "t-2", "t-3"].entries()) await run(agent, id, index + 1);
  await cluster.advance(100);
  const first = await reader.next(service("web"), 2);
  expect(first.instances).toEqual([
    {
      taskId: "t-1",
      jobName: "shop",
      agentId: "a-1",
      agentName: "name-a-1",
      agentIp: expect.any(String),
      address: "10.0.0.7",
      port: 20_001,
      tags: ["v1"],
      meta: { zone: "north" },
    },
  ]);
  expect((await reader.next(services, 2)).services).toEqual([
    { name: "admin", tags: [] },
    { name: "bare", tags: [] },
    { name: "web", tags: ["v1"] },
  ]);
  await run(agent, "t-2", 4, Health.HEALTH_HEALTHY);
  await cluster.advance(100);
  expect(ids(await reader.next(service("web"), 3))).toEqual(["t-1", "t-2"]);
  await agent.report("t-1", TaskState.TASK_FAILED, 5);
  await run(agent, "t-2", 6, Health.HEALTH_UNHEALTHY);
  await cluster.advance(100);
  expect(ids(await reader.next(service("web"), 4))).toEqual([]);
  expect(reader.told(service("none")).length).toBe(1);
});

test("changes of one moment are told together, and what changes nothing is not told", async () => {
  const agent = await cluster.agent("a-1");
  const framework = await cluster.framework("services");
  const reader = new Reader(service("web"));
  await reader.next(service("web"), 1);
  const names = ["t-1", "t-2", "t-3"];
  await framework.accept([await framework.offer()], [group(names.map((id) => task(id, [endpoint("web")])))]);
  for (const [index, id] of names.entries()) await run(agent, id, index + 1);
  await cluster.advance(100);
  expect(ids(await reader.next(service("web"), 2))).toEqual(names);
  await run(agent, "t-1", 9);
  await cluster.advance(1_000);
  expect(reader.told(service("web")).length).toBe(2);
});

test("after a restart of the master what is told is in doubt until the agents are back", async () => {
  const agent = await cluster.agent("a-1");
  const framework = await cluster.framework("services");
  await framework.accept([await framework.offer()], [group([task("t-1", [endpoint("web")])])]);
  await run(agent, "t-1", 1);
  cluster = await cluster.failOver();
  const reader = new Reader(service("web"));
  expect(ids(await reader.next(service("web"), 1))).toEqual([]);
  expect(reader.received[0]).toMatchObject({ inDoubt: true, epoch: 2 });
  const report = agent.reportOf(agent.statusOf("t-1", TaskState.TASK_RUNNING, 1));
  const { task: info } = report;
  if (info) info.discovery = { endpoints: [endpoint("web")] };
  await cluster.agent("a-1", {}, [report]);
  await cluster.advance(1_000);
  await until(() => reader.received.at(-1)?.inDoubt === false);
  expect(ids(reader.told(service("web")).at(-1) as CatalogEntry)).toEqual(["t-1"]);
});

test("what can't be told is refused, with its reason, or its field", async () => {
  const bytes = Buffer.from([0xff, 0xfe]);
  const changes = [{ ...emptyMessage("StateChange"), key: "bytes", put: bytes }];
  await cluster.call("State.Transact", { framework: "keys", changes });
  const reader = new Reader(key("bytes"));
  expect((await reader.next(key("bytes"), 1)).refusal).toBe("key bytes is no text in UTF-8");
  const wrong: [CatalogSubject[], string][] = [
    [[{ kind: 0, name: "x" }], "subjects[0].kind: must be a service"],
    [[key("a"), key("")], "subjects[1].name: must not be empty"],
    [[{ ...services, name: "x" }], "subjects[0].name: must be empty"],
    [[key("a"), key("a")], "subjects[1]: stands there twice"],
    [[key("x".repeat(513))], "subjects[0].name: must have at most 512 bytes"],
    [Array.from({ length: 4_097 }, (_, n) => key(`k-${n}`)), "subjects: must be at most 4096"],
  ];
  for (const [subjects, message] of wrong) {
    const refused = new Reader(...subjects);
    await until(() => refused.ended !== undefined);
    expect(refused.ended).toMatchObject({ kind: "invalid", message: expect.stringContaining(message) });
  }
  // Nobody else is affected.
  await setKey("bytes", "text");
  expect(pairs(await reader.next(key("bytes"), 2))).toEqual(["bytes=text"]);
});

test("a store that is away is asked again, and a folder with too much is not told by halves", async () => {
  for (let n = 0; n < 1_001; n += 100) {
    const changes = Array.from({ length: 100 }, (_, at) => ({
      ...emptyMessage("StateChange"),
      key: `many/${String(n + at).padStart(5, "0")}`,
      put: Buffer.from("x"),
    }));
    await cluster.call("State.Transact", { framework: "keys", changes });
  }
  const reader = new Reader(keys("many"));
  const entry = await reader.next(keys("many"), 1);
  expect([entry.keys, entry.refusal]).toEqual([[], expect.stringContaining("more than 1000 keys")]);
  cluster.storeFault = new MusterError("unavailable", "away");
  reader.want(key("many/00001"));
  await cluster.settle();
  expect(reader.told(key("many/00001"))).toEqual([]);
  cluster.storeFault = undefined;
  await cluster.advance(1_000);
  expect(pairs(await reader.next(key("many/00001"), 1))).toEqual(["many/00001=x"]);
});

test("no framework may be called as the owner of keys", async () => {
  const framework = await cluster.framework("keys");
  expect(framework.ended).toMatchObject({ kind: "invalid", message: expect.stringContaining("owns the keys") });
});

test("a reader that leaves is told nothing, and the feed is read no more", async () => {
  const agent = await cluster.agent("a-1");
  const framework = await cluster.framework("services");
  const reader = new Reader(service("web"));
  await reader.next(service("web"), 1);
  reader.leave();
  await until(() => reader.ended !== undefined);
  await framework.accept([await framework.offer()], [group([task("t-1", [endpoint("web")])])]);
  await run(agent, "t-1", 1);
  await cluster.advance(1_000);
  expect(reader.told(service("web")).length).toBe(1);
  const other = new Reader(service("web"));
  expect(ids(await other.next(service("web"), 1))).toEqual(["t-1"]);
});

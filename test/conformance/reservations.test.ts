import { resources } from "@muster/foundation";
import { type AgentOperation, type Operation, type Reservation, TaskState, type Volume } from "@muster/proto";
import { afterEach, beforeEach, expect, test } from "vitest";
import { type AgentClient, aGroup, aTask, Cluster, type FrameworkClient, until } from "./harness.ts";

const { TASK_DROPPED, TASK_FINISHED, TASK_RUNNING } = TaskState;

let cluster: Cluster;
beforeEach(async () => {
  cluster = await Cluster.start({ offerTimeoutMs: 1e14 });
});
afterEach(() => cluster.close());

const amounts = resources({ cpuMillis: 1_000, memoryMiB: 512, diskMiB: 1_000 });
const reserve = (role: string): Operation => ({
  operationId: "reserve",
  reserve: { resources: amounts, role, labels: {}, reservationId: "r-1", refinedId: "" },
  kind: "reserve",
});
const create = (diskMiB: number): Operation => ({
  operationId: "create",
  createVolume: { volumeId: "data", diskMiB, reservationId: "r-1" },
  kind: "createVolume",
});
const launch = (taskId: string, volumes = [{ volumeId: "data", name: "data" }]): Operation => ({
  operationId: "",
  launch: { groups: [aGroup([aTask(taskId)], { volumes })] },
  kind: "launch",
});

async function accept(framework: FrameworkClient, offerId: string, ...operations: Operation[]): Promise<void> {
  await framework.say({ accepts: [{ offerIds: [offerId], operations, filters: { refuseMs: 0 } }] });
}

/** The agent has done all that it was asked for since it was asked last. */
async function confirmAll(agent: AgentClient, from = 0): Promise<AgentOperation[]> {
  const asked = agent.all("operations").slice(from);
  await agent.say({ operationResults: asked.map(({ operationId }) => ({ operationId, refusal: null })) });
  return asked;
}

function keptOf(operations: readonly AgentOperation[]): { reservations: Reservation[]; volumes: Volume[] } {
  return {
    reservations: operations.flatMap(({ reserve: one }) => (one ? [one] : [])),
    volumes: operations.flatMap(({ createVolume: one }) => (one ? [one] : [])),
  };
}

async function violations() {
  // A violation is looked at again after two seconds; there is none that time would have to pass for.
  return (await cluster.call("Operator.Check", {})).violations;
}

test("case 43: in one accept RESERVE, CREATE and LAUNCH apply in order; if CREATE fails LAUNCH is dropped, and the reservation stands", async () => {
  const agent = await cluster.agent("a-1");
  const framework = await cluster.framework("db");
  await accept(framework, (await framework.offer()).offerId, reserve("web"), create(1_001), launch("t-1"));
  expect(framework.updatesOf("t-1")).toMatchObject([{ state: TASK_DROPPED }]);
  expect(framework.all("operationResults")).toMatchObject([{ operationId: "create", refusal: { kind: "stale" } }]);
  await confirmAll(agent);
  expect(framework.all("operationResults").at(-1)).toMatchObject({ operationId: "reserve", refusal: null });
  const { reservations } = await cluster.call("Operator.ListReservations", {});
  expect(reservations).toMatchObject([{ reservation: { reservationId: "r-1", role: "web", resources: amounts } }]);
  await cluster.advance(200);
  const again = await framework.offer();
  await accept(framework, again.offerId, create(600), launch("t-2"));
  const order = agent.received.flatMap(({ operations, launches }) => [
    ...launches.map(() => "launch"),
    ...operations.map(({ kind }) => kind),
  ]);
  expect(order).toEqual(["reserve", "createVolume", "launch"]);
  expect(agent.launchOf("t-2")).toMatchObject({ reserved: [{ reservationId: "r-1" }] });
  expect(await violations()).toEqual([]);
});

test("case 69: a reservation by an operator is offered to its role and those below it only; after UNRESERVE to all", async () => {
  const agent = await cluster.agent("a-1");
  const web = await cluster.framework("web");
  await web.offer();
  const asked = cluster.call("Operator.Reserve", { agentId: "a-1", role: "eng", resources: amounts });
  await until(() => agent.all("operations").length === 1);
  expect(web.all("rescinds")).toHaveLength(1);
  await confirmAll(agent);
  const { reservationId, offersRescinded } = await asked;
  expect(offersRescinded).toBe(1);
  const left = await web.offer();
  expect(left).toMatchObject({ resources: { cpuMillis: 3_000 }, reserved: [] });
  const ml = await cluster.framework("ml", { roles: ["eng/ml"] });
  expect(await ml.offer()).toMatchObject({
    role: "eng/ml",
    resources: amounts,
    reserved: [{ reservationId, role: "eng" }],
  });
  expect(await violations()).toEqual([]);
  const back = cluster.call("Operator.Unreserve", { reservationId });
  await until(() => agent.all("operations").length === 2);
  await confirmAll(agent, 1);
  await back;
  await ml.say({ suppresses: [{ roles: [] }] });
  await web.decline([left], 0);
  await cluster.advance(200);
  const offers = web.all("offers").slice(1);
  expect(offers.some(({ resources: has }) => (has?.cpuMillis ?? 0) >= 1_000)).toBe(true);
  expect((await cluster.call("Operator.ListReservations", {})).reservations).toEqual([]);
});

test("case 70: a volume is offered to its role again when its task has ended, under the next leader too; DESTROY while used is refused", async () => {
  const agent = await cluster.agent("a-1");
  const framework = await cluster.framework("db");
  await accept(framework, (await framework.offer()).offerId, reserve("web"), create(600), launch("t-1"));
  const kept = keptOf(await confirmAll(agent));
  const running = await agent.report("t-1", TASK_RUNNING, 1);
  await expect(cluster.call("Operator.DestroyVolume", { agentId: "a-1", volumeId: "data" })).rejects.toMatchObject({
    kind: "wrong-state",
  });
  const report = agent.reportOf(running, true);
  cluster = await cluster.failOver();
  const back = await cluster.agent("a-1", kept, [report]);
  const again = await cluster.framework("db", { frameworkId: framework.id });
  const rest = await again.offer();
  expect(rest.volumes).toEqual([]);
  const destroy: Operation = { operationId: "d", destroyVolume: { volumeId: "data" }, kind: "destroyVolume" };
  await accept(again, rest.offerId, destroy);
  expect(again.all("operationResults")).toMatchObject([{ operationId: "d", refusal: { kind: "wrong-state" } }]);
  await back.say({ statuses: [{ ...agent.statusOf("t-1", TASK_FINISHED, 2), updateId: "u-2" }] });
  await cluster.advance(200);
  await until(() => again.all("offers").some(({ volumes }) => volumes.length > 0));
  const offer = again.all("offers").find(({ volumes }) => volumes.length > 0);
  expect(offer?.volumes).toMatchObject([{ volumeId: "data", diskMiB: 600, reservationId: "r-1" }]);
  expect(await violations()).toEqual([]);
});

test("case 57: after a reboot of its host an agent's volumes are offered again", async () => {
  const agent = await cluster.agent("a-1", { bootId: "boot-1" });
  const framework = await cluster.framework("db");
  await accept(framework, (await framework.offer()).offerId, reserve("web"), create(600), launch("t-1"));
  const kept = keptOf(await confirmAll(agent));
  await agent.report("t-1", TASK_RUNNING, 1);
  await agent.drop();
  const back = await cluster.agent("a-1", { ...kept, bootId: "boot-2" });
  expect(back.isRegistered).toBe(true);
  await until(() => framework.all("offers").some(({ volumes }) => volumes.length > 0));
  expect(framework.updatesOf("t-1").at(-1)?.state).toBe(TaskState.TASK_GONE);
  expect(await violations()).toEqual([]);
});

test("a volume in one offer is in no other, and only one launch gets it", async () => {
  const agent = await cluster.agent("a-1");
  const framework = await cluster.framework("db");
  const offer = await framework.offer();
  await accept(framework, offer.offerId, reserve("web"), create(600), launch("t-1"), launch("t-2"));
  await confirmAll(agent);
  expect(framework.updatesOf("t-2")).toMatchObject([{ state: TASK_DROPPED }]);
  expect(agent.all("launches").map(({ group }) => group?.launchId)).toEqual(["launch-t-1"]);
});

test("UNRESERVE in an accept: nobody has it before the agent has forgotten it, not even the launch after it; then all do", async () => {
  const agent = await cluster.agent("a-1");
  const framework = await cluster.framework("db");
  await accept(framework, (await framework.offer()).offerId, reserve("web"));
  await confirmAll(agent);
  await until(() => framework.all("offers").some(({ reserved }) => reserved.length > 0));
  const offer = framework.all("offers").find(({ reserved }) => reserved.length > 0);
  expect(offer?.reserved).toMatchObject([{ reservationId: "r-1" }]);
  const unreserve: Operation = { operationId: "u", unreserve: { reservationId: "r-1" }, kind: "unreserve" };
  // All that the agent has: without what is given back it is not there.
  const whole = resources({ ...offer?.resources, portCount: 0 });
  const launchAll: Operation = {
    operationId: "",
    launch: { groups: [aGroup([aTask("t-1", { resources: whole })])] },
    kind: "launch",
  };
  await accept(framework, offer?.offerId ?? "", unreserve, launchAll);
  expect(agent.all("operations").at(-1)).toMatchObject({ unreserve: "r-1" });
  const refused = expect.stringMatching(/needs 4000 .* has 3000 in the offers/);
  expect(framework.updatesOf("t-1")).toMatchObject([{ state: TaskState.TASK_ERROR, message: refused }]);
  expect(agent.all("launches")).toEqual([]);
  const stranger = await cluster.framework("batch", { roles: ["batch"] });
  await cluster.advance(1_000);
  const cpuOffered = (): number =>
    stranger.all("offers").reduce((most, { resources: has }) => Math.max(most, has?.cpuMillis ?? 0), 0);
  expect(cpuOffered()).toBeLessThanOrEqual((offer?.resources?.cpuMillis ?? 0) - amounts.cpuMillis);
  const seen = framework.all("offers").length;
  await confirmAll(agent, 1);
  expect(framework.all("operationResults").at(-1)).toMatchObject({ operationId: "u", refusal: null });
  await cluster.advance(1_000);
  const later = [...framework.all("offers").slice(seen), ...stranger.all("offers")];
  expect(later.some(({ resources: has }) => (has?.cpuMillis ?? 0) >= amounts.cpuMillis)).toBe(true);
  for (const { reserved } of framework.all("offers").slice(seen)) expect(reserved).toEqual([]);
  expect((await cluster.call("Operator.ListReservations", {})).reservations).toEqual([]);
  expect(await violations()).toEqual([]);
});

test("UNRESERVE in an accept of what has a volume is refused, and changes nothing", async () => {
  const agent = await cluster.agent("a-1");
  const framework = await cluster.framework("db");
  await accept(framework, (await framework.offer()).offerId, reserve("web"), create(600));
  await confirmAll(agent);
  await until(() => framework.all("offers").some(({ volumes }) => volumes.length > 0));
  const offer = framework.all("offers").find(({ volumes }) => volumes.length > 0);
  const unreserve: Operation = { operationId: "u", unreserve: { reservationId: "r-1" }, kind: "unreserve" };
  await accept(framework, offer?.offerId ?? "", unreserve);
  expect(framework.all("operationResults").at(-1)).toMatchObject({
    operationId: "u",
    refusal: { kind: "wrong-state" },
  });
  expect((await cluster.call("Operator.ListReservations", {})).reservations).toHaveLength(1);
  expect(await violations()).toEqual([]);
});

test("operations without sense are refused with the field", async () => {
  await cluster.agent("a-1");
  const calls = [
    cluster.call("Operator.Reserve", { agentId: "none", role: "eng", resources: amounts }),
    cluster.call("Operator.Reserve", { agentId: "a-1", role: "a//b", resources: amounts }),
    cluster.call("Operator.Reserve", { agentId: "a-1", role: "eng", resources: resources({}) }),
    cluster.call("Operator.Reserve", { agentId: "a-1", role: "eng", resources: resources({ cpuMillis: 9_999 }) }),
    cluster.call("Operator.Unreserve", { reservationId: "none" }),
    cluster.call("Operator.CreateVolume", { agentId: "a-1", role: "eng", volumeId: "v", diskMiB: 1 }),
    cluster.call("Operator.CreateVolume", { agentId: "a-1", role: "eng", volumeId: "../v", diskMiB: 1 }),
    cluster.call("Operator.DestroyVolume", { agentId: "a-1", volumeId: "none" }),
    cluster.call("Operator.ResizeVolume", { agentId: "a-1", volumeId: "none", diskMiB: 1 }),
  ];
  const answers = await Promise.all(calls.map((call) => call.catch(({ kind, field }) => [kind, field])));
  expect(answers).toEqual([
    ["not-found", "agent_id"],
    ["invalid", "role"],
    ["invalid", "resources"],
    ["wrong-state", ""],
    ["not-found", "reservation_id"],
    ["wrong-state", "disk_mi_b"],
    ["invalid", "volume_id"],
    ["not-found", "volume_id"],
    ["not-found", "volume_id"],
  ]);
});

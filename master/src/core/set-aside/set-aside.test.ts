import {
  type CallHandler,
  MusterError,
  type RequestOf,
  type ResponseOf,
  type Result,
  resources,
} from "@muster/foundation";
import { type AgentOperation, type Offer, type Operation, type Reservation, TaskState } from "@muster/proto";
import { beforeEach, expect, test } from "vitest";
import { checkers } from "../../checkers/checkers.ts";
import {
  type AgentWire,
  aGroup,
  anAccept,
  aTask,
  type FrameworkWire,
  WatchWire,
  World,
} from "../../world.test.fixture.ts";
import { agentRecord, offerRecord, taskRecord } from "../records.ts";

const { TASK_DROPPED, TASK_FINISHED, TASK_RUNNING } = TaskState;

let world: World;
let agent: AgentWire;
beforeEach(() => {
  world = new World();
  agent = world.agent("a");
});

const cpus = (cpuMillis: number, diskMiB = 0) => resources({ cpuMillis, diskMiB });

type Call = "Operator.Reserve" | "Operator.Unreserve" | "Operator.DestroyVolume" | "Operator.SetQuota";

/** An operator's call; undefined until it is answered. */
function ask<M extends Call>(method: M, request: Partial<RequestOf<M>>): () => Result<ResponseOf<M>> | undefined {
  let answer: Result<ResponseOf<M>> | undefined;
  const handler = world.master.handlers[method] as unknown as CallHandler<Call>;
  const whole = { dryRun: false, labels: {}, refinedId: "", agentId: "a", ...request };
  handler(whole as never, { address: "test", principal: "local" }, (result) => {
    answer = result as Result<ResponseOf<M>>;
  });
  world.clock.settle();
  return () => answer;
}

function reserve(role: string, amounts = cpus(1_000), refinedId = "", dryRun = false) {
  return ask("Operator.Reserve", { role, resources: amounts, refinedId, dryRun });
}

const unreserve = (reservationId: string) => ask("Operator.Unreserve", { reservationId });
const destroy = (volumeId: string) => ask("Operator.DestroyVolume", { volumeId });

/** The agent does what it was asked for last, or says why it can't. */
function confirm(of = agent, fault?: string): AgentOperation {
  const operation = of.all("operations").at(-1) as AgentOperation;
  const refusal = fault === undefined ? null : { kind: "unavailable", message: fault, field: "", retryAfterMs: 0 };
  of.say({ operationResults: [{ operationId: operation.operationId, refusal }] });
  return operation;
}

function reserved(role: string, amounts = cpus(1_000)): string {
  const answer = reserve(role, amounts);
  confirm();
  const result = answer();
  if (!result?.ok) throw result?.error ?? new Error("not answered");
  return result.value.reservationId;
}

function violations(): string[] {
  const { agents, offers } = world.master.state as NonNullable<typeof world.master.state>;
  const tasks = [...agents.values()].flatMap((one) => [...one.tasks].map((task) => taskRecord(task)));
  const view = { agents: [...agents.values()].map(agentRecord), tasks, overlays: [], roles: [] };
  return checkers
    .flatMap((check) => check({ ...view, offers: [...offers.values()].map(offerRecord) }))
    .map(({ rule, detail }) => `${rule}: ${detail}`);
}

function accept(framework: FrameworkWire, offers: readonly Offer[], operations: readonly Operation[]): void {
  const { offerIds } = anAccept(offers, []);
  framework.say({ accepts: [{ offerIds, operations: [...operations], filters: { refuseMs: 0 } }] });
}

const doReserve = (role: string, amounts = cpus(1_000, 500), reservationId = "r-1", refinedId = ""): Operation => ({
  operationId: `reserve-${reservationId}`,
  reserve: { resources: amounts, role, labels: {}, reservationId, refinedId },
  kind: "reserve",
});
const doCreate = (volumeId: string, diskMiB: number): Operation => ({
  operationId: `create-${volumeId}`,
  createVolume: { volumeId, diskMiB, reservationId: "" },
  kind: "createVolume",
});
const doLaunch = (taskId: string, volumeId?: string): Operation => ({
  operationId: "",
  launch: {
    groups: [aGroup([aTask(taskId)], volumeId === undefined ? {} : { volumes: [{ volumeId, name: "data" }] })],
  },
  kind: "launch",
});

test("case 69: what is reserved is offered to the role and those below it alone, and to all when it is given back", () => {
  const id = reserved("eng", cpus(4_000));
  const web = world.framework("web", { roles: ["web"], minimumOffer: resources({ memoryMiB: 1 }) });
  const below = world.framework("below", { roles: ["eng/ml"], suppressedRoles: ["eng/ml"] });
  const eng = world.framework("eng", { roles: ["eng"], suppressedRoles: ["eng"] });
  expect(web.freshOffers().map((offer) => offer.resources?.cpuMillis)).toEqual([0]);
  expect(violations()).toEqual([]);
  eng.say({ revives: [{ roles: [] }] });
  const [own] = eng.freshOffers();
  expect(own).toMatchObject({ resources: { cpuMillis: 4_000 }, reserved: [{ reservationId: id, role: "eng" }] });
  expect(violations()).toEqual([]);
  eng.say({ declines: [{ offerIds: [own?.offerId ?? ""], filters: null }], suppresses: [{ roles: [] }] });
  below.say({ revives: [{ roles: [] }] });
  expect(below.freshOffers()).toMatchObject([{ reserved: [{ reservationId: id }] }]);
  const answer = unreserve(id);
  expect(below.all("rescinds")).toHaveLength(1);
  expect(answer()).toBeUndefined();
  confirm();
  expect(answer()).toMatchObject({ ok: true, value: { reservationId: id, offersRescinded: 1 } });
  below.say({ suppresses: [{ roles: [] }] });
  expect(violations()).toEqual([]);
  const total = [...web.all("offers"), ...below.all("offers")].at(-1);
  expect(total?.reserved).toEqual([]);
});

test("until the agent has a reservation nobody is offered it, and if it can't keep it all are", () => {
  const web = world.framework("web", { minimumOffer: resources({ cpuMillis: 1 }) });
  web.say({ suppresses: [{ roles: [] }] });
  const answer = reserve("web", cpus(4_000));
  expect(web.all("rescinds")).toHaveLength(1);
  web.fresh();
  web.say({ revives: [{ roles: [] }] });
  expect(web.freshOffers().every(({ resources }) => resources?.cpuMillis === 0)).toBe(true);
  confirm(agent, "the disk is full");
  expect(answer()).toMatchObject({ ok: false, error: { kind: "unavailable", message: "the disk is full" } });
  expect(web.freshOffers()).toMatchObject([{ resources: { cpuMillis: 4_000 }, reserved: [] }]);
  expect(violations()).toEqual([]);
});

test("an operator is refused what tasks use, and takes back as few offers as it needs", () => {
  const web = world.framework("web");
  const [offer] = web.freshOffers();
  web.accept([offer as Offer], [aGroup([aTask("t", { resources: cpus(3_000) })])], 0);
  agent.report("t", TASK_RUNNING);
  const answer = reserve("eng", cpus(1_001));
  expect(answer()).toMatchObject({
    ok: false,
    error: { kind: "wrong-state", message: expect.stringContaining("1001") },
  });
  const tried = reserve("eng", cpus(1_000), "", true);
  expect(tried()).toMatchObject({ ok: true, value: { reservationId: "" } });
  expect(agent.all("operations")).toEqual([]);
  reserved("eng", cpus(1_000));
  expect(violations()).toEqual([]);
  agent.report("t", TASK_FINISHED);
  expect(violations()).toEqual([]);
});

test("tasks use up what is reserved for their role first, and give it back to it", () => {
  const id = reserved("web", cpus(1_000));
  const web = world.framework("web");
  const [offer] = web.freshOffers();
  expect(offer?.resources?.cpuMillis).toBe(4_000);
  const group = aGroup([aTask("t", { resources: cpus(600) }), aTask("u", { resources: cpus(1_400) })]);
  web.accept([offer as Offer], [group], 0);
  expect(agent.all("launches").at(-1)?.reserved).toMatchObject([
    { reservationId: id, resources: { cpuMillis: 1_000 } },
  ]);
  const { agents } = world.master.state as NonNullable<typeof world.master.state>;
  const idle = () => agents.get("a")?.setAside?.reservations.get(id)?.idle.cpuMillis;
  expect(violations()).toEqual([]);
  agent.report("u", TASK_FINISHED);
  web.say({ suppresses: [{ roles: [] }] });
  for (const { offerId } of web.all("offers")) web.say({ declines: [{ offerIds: [offerId], filters: null }] });
  expect(idle()).toBe(400);
  expect(violations()).toEqual([]);
  const back = unreserve(id);
  expect(back()).toMatchObject({ ok: false, error: { kind: "wrong-state" } });
  agent.report("t", TASK_FINISHED);
  expect(idle()).toBe(1_000);
  expect(violations()).toEqual([]);
});

test("case 43: RESERVE, CREATE and LAUNCH apply in order; if CREATE fails LAUNCH is dropped and the reservation stands", () => {
  const web = world.framework("web");
  const [offer] = web.freshOffers();
  accept(web, [offer as Offer], [doReserve("web"), doCreate("v", 501), doLaunch("t", "v")]);
  expect(agent.all("operations").map(({ kind }) => kind)).toEqual(["reserve"]);
  expect(web.all("operationResults")).toMatchObject([{ operationId: "create-v", refusal: { kind: "stale" } }]);
  expect(web.states("t")).toEqual([TASK_DROPPED]);
  expect(agent.all("launches")).toEqual([]);
  confirm();
  expect(web.all("operationResults").at(-1)).toMatchObject({
    operationId: "reserve-r-1",
    refusal: null,
    reservationId: "r-1",
    agentId: "a",
  });
  world.clock.advance(200);
  const [again] = web.freshOffers().slice(-1);
  expect(again?.reserved).toMatchObject([{ reservationId: "r-1", resources: { cpuMillis: 1_000, diskMiB: 500 } }]);
  accept(web, [again as Offer], [doCreate("v", 400), doLaunch("u", "v")]);
  expect(
    agent.received.flatMap(({ operations, launches }) => [...operations, ...launches]).map((one) => "group" in one),
  ).toEqual([false, false, true]);
  confirm();
  agent.report("u", TASK_RUNNING);
  expect(violations()).toEqual([]);
});

test("case 70: when its task ends a volume is offered to the role again; DESTROY while it is used is refused", () => {
  const web = world.framework("web");
  const [offer] = web.freshOffers();
  accept(web, [offer as Offer], [doReserve("web"), doCreate("v", 400), doLaunch("t", "v")]);
  for (const { operationId } of agent.all("operations"))
    agent.say({ operationResults: [{ operationId, refusal: null }] });
  agent.report("t", TASK_RUNNING);
  world.clock.advance(200);
  const [rest] = web.freshOffers().slice(-1);
  expect(rest?.volumes).toEqual([]);
  accept(web, [rest as Offer], [{ operationId: "d", destroyVolume: { volumeId: "v" }, kind: "destroyVolume" }]);
  expect(web.all("operationResults").at(-1)).toMatchObject({ operationId: "d", refusal: { kind: "wrong-state" } });
  const byOperator = destroy("v");
  expect(byOperator()).toMatchObject({ ok: false, error: { message: expect.stringContaining("launch-t") } });
  expect(violations()).toEqual([]);
  agent.report("t", TASK_FINISHED);
  world.clock.advance(200);
  const again = [...web.all("offers")].reverse().find(({ volumes }) => volumes.length > 0);
  expect(again?.volumes).toMatchObject([{ volumeId: "v", reservationId: "r-1", diskMiB: 400 }]);
  expect(violations()).toEqual([]);
  const destroyed = destroy("v");
  confirm();
  expect(destroyed()).toMatchObject({ ok: true });
  expect(violations()).toEqual([]);
  const left = world.master.state?.agents.get("a")?.setAside;
  expect(left?.volumes.size).toBe(0);
});

test("a reservation is refined for a role below, and each is given back in its turn", () => {
  const id = reserved("eng", cpus(2_000, 100));
  const inner = reserve("eng/ml", cpus(500), id);
  confirm();
  const made = inner();
  const innerId = made?.ok ? made.value.reservationId : "";
  expect(reserve("web", cpus(500), id)()).toMatchObject({ ok: false, error: { kind: "invalid" } });
  expect(reserve("eng/x", cpus(1_501), id)()).toMatchObject({ ok: false, error: { kind: "wrong-state" } });
  expect(unreserve(id)()).toMatchObject({ ok: false, error: { kind: "wrong-state" } });
  const ml = world.framework("ml", { roles: ["eng/ml"] });
  expect(ml.freshOffers()[0]?.reserved).toMatchObject([
    { reservationId: innerId, resources: { cpuMillis: 500 } },
    { reservationId: id, resources: { cpuMillis: 1_500, diskMiB: 100 } },
  ]);
  expect(violations()).toEqual([]);
  unreserve(innerId);
  confirm();
  unreserve(id);
  confirm();
  expect(world.master.state?.agents.get("a")?.setAside).toBeUndefined();
  expect(world.master.state?.allocator.roles.get("eng")).toMatchObject({ reservationCount: 0 });
  expect(violations()).toEqual([]);
});

test("case 66: a limit counts what is reserved, whether it is used or not", () => {
  const limit = { role: "web", guarantee: null, limit: cpus(1_500), limitedToNone: [], force: false };
  expect(ask("Operator.SetQuota", limit)()).toMatchObject({ ok: true });
  reserved("web", cpus(1_000));
  expect(reserve("web", cpus(501))()).toMatchObject({ ok: false, error: { kind: "over-quota" } });
  const web = world.framework("web", { minimumOffer: resources({ cpuMillis: 1 }) });
  expect(web.freshOffers()).toMatchObject([
    { resources: { cpuMillis: 1_500 }, reserved: [{ resources: { cpuMillis: 1_000 } }] },
  ]);
  expect(violations()).toEqual([]);
});

test("an agent that is back says what it has set aside: what it does not tell was never done", () => {
  const kept = reserved("web", cpus(1_000, 300));
  const lost = reserve("web", cpus(500));
  const told: Reservation[] = agent.all("operations").flatMap(({ reserve: one }) => (one ? [one] : []));
  agent.close();
  world.clock.settle();
  expect(lost()).toMatchObject({ ok: false, error: { kind: "unavailable" } });
  const volume = { volumeId: "v", reservationId: kept, diskMiB: 200, launchId: "" };
  agent = world.agent("a", {
    reservations: told.filter(({ reservationId }) => reservationId === kept),
    volumes: [volume],
  });
  const { setAside } = world.master.state?.agents.get("a") ?? {};
  expect([...(setAside?.reservations.keys() ?? [])]).toEqual([kept]);
  const web = world.framework("web");
  expect(web.freshOffers()).toMatchObject([{ resources: { diskMiB: 9_800 }, volumes: [{ volumeId: "v" }] }]);
  expect(violations()).toEqual([]);
});

test("the next master learns of reservations, volumes and who uses them from the agents", () => {
  const web = world.framework("web");
  const [offer] = web.freshOffers();
  accept(web, [offer as Offer], [doReserve("web"), doCreate("v", 400), doLaunch("t", "v")]);
  for (const { operationId } of agent.all("operations"))
    agent.say({ operationResults: [{ operationId, refusal: null }] });
  const status = agent.report("t", TASK_RUNNING);
  const { reserved: parts, group } = agent.all("launches")[0] ?? {};
  const reservations = agent.all("operations").flatMap(({ reserve: one }) => (one ? [one] : []));
  const volumes = agent.all("operations").flatMap(({ createVolume: one }) => (one ? [one] : []));
  const id = web.id;
  world = world.restart();
  agent = world.agent("a", {}, false);
  const of = { frameworkId: id, frameworkName: "web", role: "web", launchId: "launch-t", executorId: "" };
  const report = { ...of, task: aTask("t"), ports: [], status, acknowledged: true };
  agent.register({ reservations, volumes }, [{ ...report, reserved: parts ?? [], volumes: group?.volumes ?? [] }]);
  expect(violations()).toEqual([]);
  const back = world.framework("web", { frameworkId: id });
  const [left] = back.freshOffers();
  expect(left).toMatchObject({
    resources: { cpuMillis: 3_500 },
    reserved: [{ reservationId: "r-1", resources: { cpuMillis: 500, diskMiB: 100 } }],
    volumes: [],
  });
  expect(violations()).toEqual([]);
  expect(destroy("v")()).toMatchObject({ ok: false, error: { kind: "wrong-state" } });
});

test("a volume of a launch whose tasks have all ended is nobody's under the next master", () => {
  const web = world.framework("web");
  const [offer] = web.freshOffers();
  accept(web, [offer as Offer], [doReserve("web"), doCreate("v", 400), doLaunch("t", "v")]);
  for (const { operationId } of agent.all("operations"))
    agent.say({ operationResults: [{ operationId, refusal: null }] });
  const status = agent.statusOf("t", TASK_FINISHED);
  const { reserved: parts, group } = agent.all("launches")[0] ?? {};
  const reservations = agent.all("operations").flatMap(({ reserve: one }) => (one ? [one] : []));
  const volumes = agent.all("operations").flatMap(({ createVolume: one }) => (one ? [one] : []));
  const of = { frameworkId: web.id, frameworkName: "web", role: "web", launchId: "launch-t", executorId: "" };
  world = world.restart();
  agent = world.agent("a", {}, false);
  const report = { ...of, task: aTask("t"), ports: [], status, acknowledged: false };
  agent.register({ reservations, volumes }, [{ ...report, reserved: parts ?? [], volumes: group?.volumes ?? [] }]);
  expect(violations()).toEqual([]);
  expect(destroy("v")()).toBeUndefined();
  confirm();
  expect(violations()).toEqual([]);
});

test("an agent that tells parts which do not fit is refused", () => {
  const told: Reservation = {
    reservationId: "r",
    role: "web",
    resources: cpus(1_000, 10),
    refinedId: "",
    labels: {},
    isStatic: true,
    principal: "",
  };
  const other = world.agent("b", {
    reservations: [told],
    volumes: [{ volumeId: "v", reservationId: "r", diskMiB: 11, launchId: "" }],
  });
  expect(other.ended).toMatchObject({ kind: "invalid", field: "registration.volumes[0].disk_mi_b" });
  const third = world.agent("c", {
    reservations: [told, { ...told, reservationId: "s", refinedId: "r", role: "eng" }],
  });
  expect(third.ended).toMatchObject({ kind: "invalid", field: "registration.reservations[1].role" });
  const fine = world.agent("d", { reservations: [told] });
  expect(fine.isRegistered).toBe(true);
  expect(unreserve("r")()).toMatchObject({ ok: false, error: { kind: "wrong-state" } });
});

test("a claim takes what is reserved for its role first, and never what is reserved for another", () => {
  reserved("eng", cpus(4_000));
  const web = world.framework("web", { suppressedRoles: ["web"] });
  const eng = world.framework("eng", { roles: ["eng"], suppressedRoles: ["eng"] });
  const claim = (role: string, taskId: string) => ({
    claimId: taskId,
    agentId: "a",
    role,
    operations: [doLaunch(taskId)],
    setId: "",
    sequenceSeen: 0,
    setSize: 0,
  });
  web.say({ claims: [claim("web", "t")] });
  expect(web.all("claimResults")).toMatchObject([{ granted: false, refusal: { kind: "stale" } }]);
  eng.say({ claims: [claim("eng", "u")] });
  expect(eng.all("claimResults")).toMatchObject([{ granted: true }]);
  expect(violations()).toEqual([]);
  agent.report("u", TASK_FINISHED);
  expect(violations()).toEqual([]);
});

test("the feed tells how operations begin and end, to those who ask for them, and only those of a role", () => {
  const all = new WatchWire(world, { kinds: [6] });
  const ofWeb = new WatchWire(world, { kinds: [6], role: "web" });
  const id = reserved("eng", cpus(100));
  reserved("web/x", cpus(100));
  const seen = (watch: WatchWire) =>
    watch.events.map(({ operation }) => [operation?.kind, operation?.role, operation?.state]);
  expect(seen(all)).toEqual([
    ["reserve", "eng", 1],
    ["reserve", "eng", 2],
    ["reserve", "web/x", 1],
    ["reserve", "web/x", 2],
  ]);
  expect(all.events[0]?.operation).toMatchObject({ agentId: "a", subjectId: id, frameworkId: "" });
  expect(seen(ofWeb)).toEqual([
    ["reserve", "web/x", 1],
    ["reserve", "web/x", 2],
  ]);
});

test("a framework hears how its operations ended until it acknowledges, also after it was away", () => {
  const web = world.framework("web");
  const [offer] = web.freshOffers();
  accept(web, [offer as Offer], [doReserve("web")]);
  const { id } = web;
  web.close(new MusterError("cancelled", "gone"));
  confirm();
  const back = world.framework("web", { frameworkId: id });
  expect(back.all("operationResults")).toMatchObject([{ operationId: "reserve-r-1", refusal: null }]);
  back.say({ operationAcknowledgements: [{ operationId: "reserve-r-1" }] });
  back.close(new MusterError("cancelled", "gone"));
  expect(world.framework("web", { frameworkId: id }).all("operationResults")).toEqual([]);
});

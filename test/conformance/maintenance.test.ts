import { TaskState } from "@muster/proto";
import { afterEach, beforeEach, expect, test } from "vitest";
import { Cluster, runningTask, until } from "./harness.ts";

const { TASK_RUNNING, TASK_FINISHED } = TaskState;
const hourMs = 3_600_000;

let cluster: Cluster;
beforeEach(async () => {
  cluster = await Cluster.start({ offerTimeoutMs: 1e14 });
});
afterEach(() => cluster.close());

const plan = (agentId: string, inMs: number) => ({
  agentId,
  startAt: cluster.clock.epochMs() + inMs,
  durationMs: hourMs,
});

test("case 62: offers carry the window, and those with something there alone are asked for the agent, until the plan is cancelled", async () => {
  const { framework } = await runningTask(cluster, "t-1");
  const first = await framework.offer();
  const idle = await cluster.framework("idle");
  const window = plan("a-1", hourMs);
  const tried = await cluster.call("Operator.SetMaintenance", { windows: [window], dryRun: true });
  expect(tried.affected).toMatchObject({ frameworks: [{ name: "services", taskCount: 1 }], offerCount: 1 });
  expect(framework.all("rescinds")).toEqual([]);
  await cluster.call("Operator.SetMaintenance", { windows: [window] });
  await cluster.settle();
  expect(framework.all("rescinds").map(({ offerId }) => offerId)).toEqual([first.offerId]);
  const offers = [...framework.all("offers"), ...idle.all("offers")];
  expect(offers.at(-1)?.unavailability).toMatchObject({ startAt: window.startAt, durationMs: hourMs });
  expect(framework.all("inverseOffers")).toEqual([
    expect.objectContaining({ agentId: "a-1", startAt: window.startAt, durationMs: hourMs, isDrain: false }),
  ]);
  const holdsOffer = idle.all("offers").length > 0;
  expect(idle.all("inverseOffers")).toHaveLength(holdsOffer ? 1 : 0);
  await cluster.call("Operator.SetMaintenance", { windows: [] });
  await cluster.settle();
  expect(framework.all("inverseRescinds").map(({ inverseOfferId }) => inverseOfferId)).toEqual(
    framework.all("inverseOffers").map(({ inverseOfferId }) => inverseOfferId),
  );
  expect((await cluster.call("Operator.GetMaintenance", {})).windows).toEqual([]);
});

test("case 62: a framework that has nothing on the agent is not asked, and is when it has", async () => {
  await cluster.agent("a-1");
  await cluster.call("Operator.SetMaintenance", { windows: [plan("a-1", hourMs)] });
  const framework = await cluster.framework("services", { suppressedRoles: ["web"] });
  await cluster.settle();
  expect(framework.all("inverseOffers")).toEqual([]);
  await framework.say({ revives: [{ roles: [] }] });
  const offer = await framework.offer();
  await until(() => framework.all("inverseOffers").length === 1);
  await framework.decline([offer], hourMs);
  await until(() => framework.all("inverseRescinds").length === 1);
});

test("a declined inverse offer comes again when its filter ends, an accepted one does not; a foreign answer is refused", async () => {
  const { framework } = await runningTask(cluster, "t-1");
  await cluster.call("Operator.SetMaintenance", { windows: [plan("a-1", 10 * hourMs)] });
  await cluster.settle();
  const [asked] = framework.all("inverseOffers");
  const id = asked?.inverseOfferId ?? "";
  const other = await cluster.framework("other", { suppressedRoles: ["web"] });
  await other.say({ inverseOfferAnswers: [{ inverseOfferIds: [id], accepted: true, filters: null }] });
  expect(other.all("refusals").at(-1)).toMatchObject({
    call: "inverse_offer_answer",
    subjectId: id,
    refusal: { kind: "offer-gone", field: "inverse_offer_answers[0].inverse_offer_ids[0]" },
  });
  await framework.say({
    inverseOfferAnswers: [{ inverseOfferIds: [id], accepted: false, filters: { refuseMs: 60_000 } }],
  });
  await cluster.advance(59_999);
  expect(framework.all("inverseOffers")).toHaveLength(1);
  await cluster.advance(1);
  expect(framework.all("inverseOffers")).toHaveLength(2);
  const again = framework.all("inverseOffers")[1]?.inverseOfferId ?? "";
  expect(again).not.toBe(id);
  await framework.say({ inverseOfferAnswers: [{ inverseOfferIds: [again], accepted: true, filters: null }] });
  await cluster.advance(120_000);
  expect(framework.all("inverseOffers")).toHaveLength(2);
});

test("the plan is kept for the next leader, who asks again; a window that has passed leaves it", async () => {
  const { agent, framework } = await runningTask(cluster, "t-1");
  const window = { ...plan("a-1", 40_000), durationMs: 10_000 };
  await cluster.call("Operator.SetMaintenance", { windows: [window, plan("a-2", 5 * hourMs)] });
  const report = agent.reportOf(agent.statusOf("t-1", TASK_RUNNING, 1), true);
  cluster = await cluster.failOver();
  const back = await cluster.agent("a-1", {}, [report]);
  const again = await cluster.framework("services", { frameworkId: framework.id });
  await until(() => again.all("inverseOffers").length === 1);
  expect(again.all("inverseOffers")[0]).toMatchObject({ agentId: "a-1", startAt: window.startAt });
  await cluster.advance(50_000);
  expect(again.all("inverseRescinds")).toHaveLength(1);
  expect((await cluster.call("Operator.GetMaintenance", {})).windows).toMatchObject([{ agentId: "a-2" }]);
  expect(back.all("kills")).toEqual([]);
});

test("a drain asks by inverse offers first; whoever agreed and moved leaves nothing to be forced", async () => {
  const { agent, framework } = await runningTask(cluster, "t-1");
  await cluster.call("Operator.Drain", { agentId: "a-1", deadlineMs: 60_000 });
  await cluster.settle();
  const [asked] = framework.all("inverseOffers");
  expect(asked).toMatchObject({ agentId: "a-1", isDrain: true, durationMs: 0 });
  const inverseOfferIds = [asked?.inverseOfferId ?? ""];
  await framework.say({ inverseOfferAnswers: [{ inverseOfferIds, accepted: true, filters: null }] });
  const { agents } = await cluster.call("Operator.ListAgents", { prefix: "" });
  expect(agents[0]?.drain).toMatchObject({ frameworkIdsAgreed: [framework.id], frameworkIdsPending: [] });
  await framework.acknowledge(await agent.report("t-1", TASK_FINISHED, 2));
  await cluster.settle();
  expect(framework.all("inverseRescinds").map(({ inverseOfferId }) => inverseOfferId)).toEqual(inverseOfferIds);
  await cluster.advance(90_000);
  expect(agent.all("kills")).toEqual([]);
});

test("a plan out of bounds is refused by its field, and one that was made from an older plan by its version", async () => {
  const refused = (windows: unknown[]) => cluster.call("Operator.SetMaintenance", { windows } as never);
  await expect(refused([{ ...plan("a-1", hourMs), durationMs: 0 }])).rejects.toMatchObject({
    kind: "invalid",
    field: "windows[0].duration_ms",
  });
  await expect(refused([plan("a/1", hourMs)])).rejects.toMatchObject({ field: "windows[0].agent_id" });
  await expect(refused([plan("a-1", 400 * 24 * hourMs)])).rejects.toMatchObject({ field: "windows[0].start_at" });
  await expect(refused(Array(2_001).fill(plan("a-1", hourMs)))).rejects.toMatchObject({ field: "windows" });
  const { version } = await cluster.call("Operator.GetMaintenance", {});
  await cluster.call("Operator.SetMaintenance", { windows: [plan("a-1", hourMs)], version });
  const stale = cluster.call("Operator.SetMaintenance", { windows: [], version });
  await expect(stale).rejects.toMatchObject({ kind: "stale", field: "version" });
});

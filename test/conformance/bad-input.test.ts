import { emptyMessage, type MusterError, resources } from "@muster/foundation";
import { StatusReason, TaskState } from "@muster/proto";
import { afterEach, beforeEach, expect, test } from "vitest";
import { aGroup, aTask, Cluster, type FrameworkClient, quiet, until } from "./harness.ts";

let cluster: Cluster;
beforeEach(async () => {
  cluster = await Cluster.start(quiet);
});
afterEach(() => cluster.close());

/** Time stands still: whatever the other does, this one is offered what has just come. */
async function isOffered(bystander: FrameworkClient, agentId: string): Promise<void> {
  await cluster.agent(agentId);
  expect((await bystander.offer()).agentId).toBe(agentId);
}

const idle = (name: string) => cluster.framework(name, { roles: ["bad"], suppressedRoles: ["bad"] });

test("a framework that floods is cut off and told of the limit", async () => {
  const bystander = await cluster.framework("bystander");
  const subscribe = cluster.master.handlers["Scheduling.Subscribe"];
  let ended: MusterError | undefined;
  const end = (error?: MusterError): void => {
    ended = error;
  };
  // Past the sockets, which are slower than the limit where tests share a machine.
  const inlet = subscribe?.({ send: () => {}, ready: () => true, end }, { address: "test", principal: "local" });
  const framework = { ...emptyMessage("FrameworkInfo"), name: "flooding", roles: ["bad"] };
  const subscription = { ...emptyMessage("Subscription"), framework, suppressedRoles: ["bad"] };
  inlet?.receive({ ...emptyMessage("SubscribeRequest"), subscription });
  await cluster.settle();
  const messageCountMax = bystander.received[0]?.subscribed?.limits["messagesPerSecond"] ?? 0;
  const message = { ...emptyMessage("SubscribeRequest"), kills: [{ taskId: "t-1", agentId: "" }] };
  for (let n = 1; n < messageCountMax; n++) inlet?.receive(message);
  await isOffered(bystander, "a-1");
  expect(ended).toBeUndefined();
  inlet?.receive(message);
  expect(ended).toMatchObject({ kind: "too-many", retryAfterMs: 1_000 });
  const { frameworks } = await cluster.call("Operator.ListFrameworks", {});
  expect(frameworks.find(({ name }) => name === "flooding")?.connected).toBe(false);
});

test("an accept with 100,000 operations is refused as a whole, and its offer returns", async () => {
  const bystander = await cluster.framework("bystander", { suppressedRoles: ["web"] });
  await cluster.agent("a-1");
  const bad = await cluster.framework("bad", { roles: ["bad"] });
  const offer = await bad.offer();
  const operation = { operationId: "", unreserve: { reservationId: "r" } };
  bad.send({ accepts: [{ offerIds: [offer.offerId], operations: new Array(100_000).fill(operation), filters: null }] });
  await bystander.say({ revives: [{ roles: [] }] });
  await isOffered(bystander, "a-2");
  await until(() => bad.all("refusals").length > 0);
  expect(bad.all("refusals")).toMatchObject([{ call: "accept", refusal: { kind: "too-many", field: "accepts[0]" } }]);
});

test.each(["(a+)+b", "((a)+)+b", "(a|a)*b", "a*a*a*a*a*a*a*a*b"])(
  "an expression that would take other engines for ever takes no time: %s",
  async (value) => {
    const bystander = await cluster.framework("bystander");
    const constraint = { attribute: "text", operator: "regexp", value, role: "" };
    await cluster.framework("bad", { roles: ["bad"], offerConstraints: [constraint] });
    await cluster.agent("a-1", { attributes: [{ name: "text", value: "a".repeat(5_000) }] });
    expect((await bystander.offer()).agentId).toBe("a-1");
  },
);

test("ten thousand constraints are refused, naming the field", async () => {
  const bystander = await cluster.framework("bystander");
  const constraint = { attribute: "rack", operator: "=", value: "r1", role: "" };
  const bad = await cluster.framework("bad", { offerConstraints: new Array(10_000).fill(constraint) });
  expect(bad.ended).toMatchObject({ kind: "invalid", field: "subscription.framework.offer_constraints" });
  await isOffered(bystander, "a-1");
});

test.each(["a//b", "../b", "a/", "/a", ".", "-a", "a b", "a/*", "r".repeat(256)])("no role: %s", async (role) => {
  const bad = await cluster.framework("bad", { roles: [role] });
  expect(bad.ended).toMatchObject({ kind: "invalid", field: "subscription.framework.roles[0]" });
});

test("huge amounts are refused for their task alone", async () => {
  const agent = await cluster.agent("a-1");
  const framework = await cluster.framework("huge");
  // What is negative comes as a number of 64 bits without a sign, as from any other language.
  const huge = [2 ** 60, Number.MAX_SAFE_INTEGER].map((cpuMillis, n) =>
    aGroup([aTask(`huge-${n}`, { resources: { ...resources({ memoryMiB: 1 }), cpuMillis } })]),
  );
  await framework.accept([await framework.offer()], [...huge, aGroup([aTask("t-1")])]);
  for (const n of [0, 1])
    expect(framework.updatesOf(`huge-${n}`)).toMatchObject([
      { state: TaskState.TASK_ERROR, reason: StatusReason.REASON_TASK_INVALID },
    ]);
  expect(agent.launchOf("t-1")).toBeDefined();
});

test("nobody kills, acknowledges or learns of another's tasks", async () => {
  const agent = await cluster.agent("a-1");
  const owner = await cluster.framework("owner");
  await owner.accept([await owner.offer()], [aGroup([aTask("t-1")])]);
  const status = await agent.report("t-1", TaskState.TASK_RUNNING, 1);
  const thief = await idle("thief");
  const { updateId } = status;
  await thief.say({
    kills: [{ taskId: "t-1", agentId: "a-1" }],
    acknowledgements: [{ taskId: "t-1", agentId: "a-1", updateId }],
    reconciles: [{ reconcileId: "r", tasks: [{ taskId: "t-1", agentId: "a-1" }] }],
  });
  expect(agent.all("kills")).toEqual([]);
  expect(agent.all("acknowledgements").filter(({ frameworkId }) => frameworkId === owner.id)).toEqual([]);
  for (const { state } of thief.updatesOf("t-1"))
    expect([TaskState.TASK_UNKNOWN, TaskState.TASK_GONE]).toContain(state);
});

test("a reader of the feed that never reads costs the master its place alone", async () => {
  const agent = await cluster.agent("a-1", { resources: resources({ cpuMillis: 1e9, memoryMiB: 1e9 }) });
  const framework = await cluster.framework("busy");
  const follow = cluster.master.handlers["Watch.Events"];
  let sentCount = 0;
  let ended: unknown;
  follow?.(
    emptyMessage("EventsRequest"),
    {
      send: () => void sentCount++,
      ready: () => sentCount === 0,
      end: (error) => {
        ended = error;
      },
    },
    { address: "test", principal: "local" },
  );
  await until(() => sentCount === 1);
  for (let round = 0; round < 10; round++) {
    const groups = Array.from({ length: 500 }, (_, n) => aGroup([aTask(`t-${round}-${n}`)]));
    await framework.accept([await framework.offer()], groups, 0);
    await cluster.advance(100);
  }
  await until(() => agent.all("launches").length === 5_000);
  // Five thousand events on, nothing was queued for it, and nothing was sent.
  expect(sentCount).toBe(1);
  await cluster.advance(11_000);
  expect(ended).toMatchObject({ kind: "slow-reader" });
});

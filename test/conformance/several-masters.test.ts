import { MusterError, silentLog, systemClock, systemRandom } from "@muster/foundation";
import { createScheduler } from "@muster/framework-sdk";
import { afterEach, beforeEach, expect, test } from "vitest";
import { aGroup, anAccept, aTask, Cluster, until } from "./harness.ts";

// Two masters over real gRPC on one store: one leads, the other stands by.
let leader: Cluster;
let standby: Cluster;
beforeEach(async () => {
  leader = await Cluster.start();
  standby = await leader.standby();
  await until(() => leader.data.candidate === leader.address);
});
afterEach(async () => {
  await standby.close();
  await leader.close();
});

const write = { framework: "services", changes: [{ key: "jobs/web", put: Buffer.from("{}") }] };

test("case 10: whoever turns to a master that stands by is told who leads", async () => {
  const redirect = { kind: "not-leader", leader: leader.address };
  const framework = await standby.framework("services");
  expect(framework.ended).toMatchObject(redirect);
  expect(framework.received).toEqual([]);
  expect((await standby.agent("a-1")).ended).toMatchObject(redirect);
  expect((await standby.watch()).ended).toMatchObject(redirect);
  await expect(standby.call("State.Transact", write)).rejects.toMatchObject(redirect);
  await expect(standby.call("Operator.GetMaster", {})).rejects.toThrow(`${leader.address} leads`);
  expect(leader.data.entries.has("state/services/jobs/web")).toBe(false);
});

test("case 10: a framework that knows a standby alone comes to the leader, and to the next one after it", async () => {
  const offers: string[] = [];
  const scheduler = createScheduler(
    { clock: systemClock, random: systemRandom, transport: leader.transport, log: silentLog },
    { address: standby.address, framework: { name: "services", roles: ["web"] } },
    { offers: (some) => void offers.push(...some.map(({ agentId }) => agentId)), update: () => {} },
  );
  try {
    await leader.agent("a-1");
    scheduler.start();
    await until(() => offers.includes("a-1"));
    leader.store.depose(new MusterError("not-leader", "its lease has ended"));
    await until(() => standby.master.state !== undefined);
    await standby.agent("a-2");
    await until(() => offers.includes("a-2"));
  } finally {
    scheduler.stop();
  }
});

test("case 73: of a deposed leader that still believes no write and no launch takes effect, and it gives up", async () => {
  const agent = await leader.agent("a-1");
  const framework = await leader.framework("services");
  const offer = await framework.offer();
  // As after a pause: another leads, and nobody has told this one.
  leader.store.forget();
  await until(() => standby.master.state !== undefined);
  expect(leader.failed).toBeUndefined();
  framework.send({ accepts: [anAccept([offer], [aGroup([aTask("t-1")])])] });
  await until(() => framework.ended !== undefined && agent.ended !== undefined);
  expect(agent.all("launches")).toEqual([]);
  expect(framework.all("updates")).toEqual([]);
  expect(leader.failed).toMatchObject({ kind: "not-leader" });
  await expect(leader.call("State.Transact", write)).rejects.toMatchObject({ kind: "unavailable" });
  await expect(leader.call("Operator.ListAgents", {})).rejects.toMatchObject({ kind: "unavailable" });
  // What its successor holds is what was written before and after, by those who led.
  expect(await standby.call("State.Transact", write)).toMatchObject({ versions: [1] });
});

test("case 73: a write of a deposed leader that nothing has stopped before is refused by the store", async () => {
  leader.store.forget();
  await until(() => standby.master.state !== undefined);
  const stored = { compares: [], puts: [{ key: "quota/web", value: Buffer.from("{}") }], deletes: [] };
  const refused = await new Promise((resolve) => leader.store.transact(stored, resolve));
  expect(refused).toMatchObject({ ok: false, error: { kind: "not-leader" } });
  expect(leader.data.entries.has("quota/web")).toBe(false);
  await until(() => leader.failed !== undefined);
});

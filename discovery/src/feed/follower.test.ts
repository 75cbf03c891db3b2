import { MusterError } from "@muster/foundation";
import { AgentState, Health, TaskState } from "@muster/proto";
import { expect, test } from "vitest";
import { agent, ask, awaited, framework, ScriptedMaster, task } from "../scripted-master.test.fixture.ts";

const web = "web.services.muster";
const webPort = "_http._web._tcp.services.muster";

function started() {
  const master = new ScriptedMaster();
  const discovery = master.discovery();
  return { master, discovery };
}

test("case 22: before the first snapshot is whole nothing is answered, and nothing is ready", () => {
  const { master, discovery } = started();
  expect(ask(discovery, web, "A").code).toBe("SERVFAIL");
  master.say({ snapshot: true, sequence: 3, events: [task()] });
  expect(ask(discovery, web, "A").code).toBe("SERVFAIL");
  expect(discovery.status().isReady).toBe(false);
  master.say({ snapshot: true, snapshotComplete: true, sequence: 3 });
  expect(ask(discovery, web, "A").answers).toEqual(["10.0.0.1"]);
  expect(discovery.status()).toMatchObject({ isReady: true, isCurrent: true, feedAgeMs: 0 });
});

test("case 14: a change is answered with as soon as it is told", () => {
  const { master, discovery } = started();
  master.snapshot([framework("services")]);
  expect(ask(discovery, web, "A").code).toBe("NXDOMAIN");
  master.change(task());
  expect(ask(discovery, web, "A").answers).toEqual(["10.0.0.1"]);
  expect(ask(discovery, webPort, "SRV").answers).toHaveLength(1);
});

test("a task is not found before it runs and its checks have passed", () => {
  const { master, discovery } = started();
  const labels = { "muster.checks": "1" };
  master.snapshot([task({ state: TaskState.TASK_STARTING, labels })]);
  expect(ask(discovery, web, "A").code).toBe("NXDOMAIN");
  master.change(task({ labels }));
  expect(ask(discovery, web, "A")).toMatchObject({ code: "NOERROR", answers: [] });
  master.change(task({ labels, health: Health.HEALTH_HEALTHY }));
  expect(ask(discovery, web, "A").answers).toEqual(["10.0.0.1"]);
});

test("case 15: a task whose check fails leaves its shared names, its own name stays", () => {
  const { master, discovery } = started();
  const labels = { "muster.checks": "1" };
  const first = { id: "web.0", ip: "10.0.0.1", labels };
  const second = { id: "web.1", ip: "10.0.0.2", agent: "a-2", labels };
  master.snapshot([
    task({ ...first, health: Health.HEALTH_HEALTHY }),
    task({ ...second, health: Health.HEALTH_HEALTHY }),
  ]);
  const own = ask(discovery, webPort, "SRV").packet.answers?.map(
    (record) => record.type === "SRV" && record.data.target,
  );
  expect(own).toHaveLength(2);
  master.change(task({ ...first, health: Health.HEALTH_UNHEALTHY }));
  expect(ask(discovery, web, "A").answers).toEqual(["10.0.0.2"]);
  expect(ask(discovery, webPort, "SRV").answers).toHaveLength(1);
  for (const name of own ?? []) expect(ask(discovery, String(name), "A").answers).toHaveLength(1);
});

test("case 16: when all of a name fail, all stay; without panic none, and the name exists", () => {
  for (const panic of ["on", "off"]) {
    const { master, discovery } = started();
    const labels = { "muster.checks": "1", "muster.panic": panic };
    const shapes = [1, 2, 3].map((i) => ({ id: `web.${i}`, ip: `10.0.0.${i}`, agent: `a-${i}`, labels }));
    master.snapshot(shapes.map((shape) => task({ ...shape, health: Health.HEALTH_HEALTHY })));
    for (const shape of shapes) master.change(task({ ...shape, health: Health.HEALTH_UNHEALTHY }));
    const expected = panic === "on" ? ["10.0.0.1", "10.0.0.2", "10.0.0.3"] : [];
    expect(ask(discovery, web, "A").answers.sort(), panic).toEqual(expected);
    expect(ask(discovery, webPort, "SRV")).toMatchObject({ code: "NOERROR" });
    master.change(task({ ...(shapes[1] ?? {}), health: Health.HEALTH_HEALTHY }));
    expect(ask(discovery, web, "A").answers, panic).toEqual(["10.0.0.2"]);
  }
});

test("case 17: a task that is being killed is gone from every name at once", () => {
  const { master, discovery } = started();
  master.snapshot([task()]);
  master.change(task({ state: TaskState.TASK_KILLING }));
  expect(ask(discovery, web, "A").code).toBe("NXDOMAIN");
  expect(discovery.zone.names().some((name) => name.includes("web"))).toBe(false);
});

test("case 18: the tasks of an unreachable agent are gone, and back with it", () => {
  const { master, discovery } = started();
  const second = { id: "web.1", ip: "10.0.0.2", agent: "a-2" };
  master.snapshot([agent("a-1", "10.0.0.1"), agent("a-2", "10.0.0.2"), task(), task(second)]);
  expect(ask(discovery, "agents.muster", "A").answers.sort()).toEqual(["10.0.0.1", "10.0.0.2"]);
  master.change(agent("a-1", "10.0.0.1", AgentState.AGENT_STATE_UNREACHABLE));
  expect(ask(discovery, web, "A").answers).toEqual(["10.0.0.2"]);
  expect(ask(discovery, "host-a-1.agents.muster", "A").code).toBe("NXDOMAIN");
  master.change(task({ state: TaskState.TASK_UNREACHABLE }));
  master.change(agent("a-1", "10.0.0.1"), task());
  expect(ask(discovery, web, "A").answers.sort()).toEqual(["10.0.0.1", "10.0.0.2"]);
});

test("case 19: while tasks are replaced one by one the name never fails and names no dead address", () => {
  const { master, discovery } = started();
  const shape = (id: string, i: number) => ({ id, ip: `10.0.0.${i}`, agent: `a-${i}` });
  master.snapshot([1, 2, 3].map((i) => task(shape(`web.${i}`, i))));
  const living = new Set(["10.0.0.1", "10.0.0.2", "10.0.0.3"]);
  const look = (): void => {
    const { code, answers } = ask(discovery, web, "A");
    expect(code).toBe("NOERROR");
    expect(new Set(answers)).toEqual(living);
  };
  for (const i of [1, 2, 3]) {
    master.change(task(shape(`new.${i}`, i + 10)));
    living.add(`10.0.0.${i + 10}`);
    look();
    master.change(task({ ...shape(`web.${i}`, i), state: TaskState.TASK_KILLING }));
    living.delete(`10.0.0.${i}`);
    look();
    master.change(task({ ...shape(`web.${i}`, i), state: TaskState.TASK_KILLED }));
    look();
  }
});

test("case 20: changes that do not fit lead to a snapshot, which is swapped in one step", () => {
  const { master, discovery } = started();
  master.snapshot([task(), task({ id: "old.0", name: "old" })]);
  master.change(task());
  master.epoch = 2;
  master.change(task({ id: "web.9", ip: "10.0.0.9" }));
  expect(master.isConnected).toBe(false);
  expect(ask(discovery, web, "A").answers).toEqual(["10.0.0.1"]);
  master.clock.advance(5_000);
  expect(master.requests.at(-1)).toMatchObject({ epoch: 0, sequence: 0 });
  master.say({ snapshot: true, sequence: 1, events: [task({ id: "web.9", ip: "10.0.0.9" })] });
  expect(ask(discovery, web, "A").answers).toEqual(["10.0.0.1"]);
  master.say({ snapshot: true, snapshotComplete: true, sequence: 1 });
  expect(ask(discovery, web, "A").answers).toEqual(["10.0.0.9"]);
  expect(ask(discovery, "old.services.muster", "A").code).toBe("NXDOMAIN");
});

test("after a broken connection it resumes where it stopped, and takes what it missed", () => {
  const { master, discovery } = started();
  master.sequence = 7;
  master.snapshot([task()]);
  master.change(task({ id: "web.1", ip: "10.0.0.2" }));
  master.hangUp();
  master.clock.advance(5_000);
  expect(master.requests.at(-1)).toMatchObject({ epoch: 1, sequence: 8 });
  master.change(task({ state: TaskState.TASK_FAILED }));
  expect(ask(discovery, web, "A").answers).toEqual(["10.0.0.2"]);
});

test("a deposed master is not listened to", () => {
  const { master, discovery } = started();
  master.epoch = 5;
  master.snapshot([task()]);
  master.epoch = 4;
  master.snapshot([]);
  expect(ask(discovery, web, "A").answers).toEqual(["10.0.0.1"]);
  expect(master.isConnected).toBe(false);
});

test("case 21: without a master the answers stay for a day, short-lived, and then end", () => {
  const { master, discovery } = started();
  master.snapshot([task({ labels: { "muster.ttl": "300" } })]);
  expect(ask(discovery, web, "A").ttls).toEqual([300]);
  master.hangUp();
  master.clock.advance(60 * 60 * 1_000);
  const stale = ask(discovery, web, "A");
  expect(stale.answers).toEqual(["10.0.0.1"]);
  expect(Math.max(...stale.ttls)).toBeLessThanOrEqual(5);
  expect(discovery.status()).toMatchObject({ isReady: true, isCurrent: false, feedAgeMs: 3_600_000 });
  master.clock.advance(24 * 60 * 60 * 1_000);
  expect(ask(discovery, web, "A").code).toBe("SERVFAIL");
  master.snapshot([task({ labels: { "muster.ttl": "300" } })]);
  expect(ask(discovery, web, "A").ttls).toEqual([300]);
});

test("tasks on agents that a new master awaits stay until the agent is back, then its word counts", () => {
  const { master, discovery } = started();
  const on = (i: number, id = `web.${i}`) => task({ id, ip: `10.0.0.${i}`, agent: `a-${i}` });
  master.snapshot(
    [1, 2, 3].map((i) => agent(`a-${i}`, `10.0.0.${i}`)),
    [on(1), on(2), on(3), on(3, "web.30")],
  );
  master.restart();
  expect(ask(discovery, web, "A").answers.sort()).toEqual(["10.0.0.1", "10.0.0.2", "10.0.0.3"]);
  // A new master: a-1 is already back with nothing, the others are awaited.
  master.snapshot([agent("a-1", "10.0.0.1"), awaited("a-2", "a-3")]);
  expect(ask(discovery, web, "A").answers.sort()).toEqual(["10.0.0.2", "10.0.0.3"]);
  expect(ask(discovery, "agents.muster", "A").answers.sort()).toEqual(["10.0.0.1", "10.0.0.2", "10.0.0.3"]);
  expect(discovery.status().heldCount).toBe(3);
  // a-3 tells one of its two tasks and is back; a-2 is given up.
  master.change(awaited("a-2"), agent("a-3", "10.0.0.3"), on(3, "web.30"));
  expect(ask(discovery, webPort, "SRV").answers).toHaveLength(2);
  expect(ask(discovery, web, "A").answers.sort()).toEqual(["10.0.0.2", "10.0.0.3"]);
  master.change(awaited());
  expect(ask(discovery, web, "A").answers).toEqual(["10.0.0.3"]);
  expect(discovery.status().heldCount).toBe(0);
});

test("a task that ends while its agent is awaited again is not kept", () => {
  const { master, discovery } = started();
  master.snapshot([agent("a-1", "10.0.0.1"), task()]);
  master.restart();
  master.snapshot([awaited("a-1")]);
  master.change(task({ state: TaskState.TASK_FAILED }));
  expect(ask(discovery, web, "A").code).toBe("NXDOMAIN");
});

test("leader and master are found at the address that is followed", () => {
  const { master, discovery } = started();
  master.snapshot();
  expect(ask(discovery, "leader.muster", "A")).toMatchObject({ answers: ["10.9.9.9"], ttls: [1] });
  expect(ask(discovery, "master.muster", "A").answers).toEqual(["10.9.9.9"]);
  expect(ask(discovery, "_leader._tcp.muster", "SRV")).toMatchObject({
    answers: ["0 1 5050 leader.muster"],
    additional: ["10.9.9.9"],
  });
});

test("case 5: a task whose name has no letter is counted, not published", () => {
  const { master, discovery } = started();
  master.snapshot([task({ name: "$$$", endpoints: [] })]);
  expect(discovery.status().refusedCount).toBe(1);
  master.change(task({ name: "$$$", endpoints: [], state: TaskState.TASK_FAILED }));
  expect(discovery.status().refusedCount).toBe(0);
});

test("of several masters the leader is followed, and named: one that stands by says who, and one that dies has others", () => {
  const master = new ScriptedMaster();
  const discovery = master.discovery({ masterAddress: "10.9.9.1:5050,10.9.9.2:5050,10.9.9.3:5050" });
  const leader = (): unknown => ask(discovery, "leader.muster", "A").answers;
  master.hangUp(new MusterError("not-leader", "stands by", { leader: "10.9.9.3:5050" }));
  master.clock.advance(500);
  master.snapshot([task()]);
  expect(leader()).toEqual(["10.9.9.3"]);
  master.restart();
  master.snapshot([task()]);
  expect(leader()).toEqual(["10.9.9.1"]);
  expect(master.addresses).toEqual(["10.9.9.1:5050", "10.9.9.3:5050", "10.9.9.1:5050"]);
});

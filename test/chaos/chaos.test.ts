import { isTerminal, seededRandom } from "@muster/foundation";
import type { Violation } from "@muster/testing";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { isOpen, processesOf, stopTimeoutMs, until } from "../e2e/dev-cluster.ts";
import { askSrvPorts, Clients, pause } from "./clients.ts";
import { instanceCount, jobName, movingJobName, placesOf, portsOf, Swarm, srvName } from "./harness.ts";
import { Watching } from "./watching.ts";

const killCount = Number(process.env["MUSTER_CHAOS_KILLS"] ?? 25);
const seed = Number(process.env["MUSTER_CHAOS_SEED"] ?? Date.now() % 1_000_000);
const replay = `MUSTER_CHAOS_SEED=${seed} MUSTER_CHAOS_KILLS=${killCount} npm run chaos`;
/** While so many components are killed, a second job's count is changed. */
const killsWhileScalingCount = Math.ceil(killCount / 2);
const movingCountMax = 12;
const movingCountLast = 7;
const scaleEveryMsMax = 600;
/** After the last kill everything must be well again within so long. */
const recoveryMs = 60_000;
/** From the moment at which an agent noticed, DNS may lag so long behind. */
const dnsBoundMs = 1_000;

// Two of these at a time on one machine must not meet.
const swarm = new Swarm(3_000 + 100 * (process.pid % 30));
const { cluster } = swarm;

beforeAll(async () => {
  await swarm.start().catch((error: Error) => {
    throw new Error(`${error.message}\n${swarm.describe()}`);
  });
});
afterAll(() => swarm.remove());
afterEach(({ task }) => {
  if (task.result?.state === "fail") console.error(`replay: ${replay}\n${swarm.describe()}`);
});

test("a task killed with SIGKILL is replaced, DNS follows within a second, and no other task is touched", async () => {
  const before = await cluster.job(jobName);
  const [victim, ...others] = before.instances;
  if (!victim) throw new Error("no instance");
  const watching = new Watching(cluster.masterAddress);
  const clients = new Clients();
  try {
    watching.start();
    clients.http(placesOf({ ...before, instances: others }));
    const deadPort = victim.ports["http"] ?? 0;
    process.kill(victim.pid, "SIGKILL");
    await until("its agent has told its end", 5_000, () =>
      watching.statuses.some(({ taskId, state }) => taskId === victim.id && isTerminal(state)),
    );
    const noticedAt = watching.statuses.find(({ taskId, state }) => taskId === victim.id && isTerminal(state))?.at ?? 0;
    const forgotten = async (): Promise<boolean> =>
      !(await askSrvPorts(swarm.secondDnsAddress, srvName)).includes(deadPort);
    while (!(await forgotten())) await pause(5);
    expect(Date.now() - noticedAt, "DNS forgets the dead").toBeLessThan(dnsBoundMs);

    const after = await swarm.settled(30_000);
    const known = new Set(before.instances.map(({ id }) => id));
    const [fresh, ...more] = after.instances.filter(({ id }) => !known.has(id));
    expect(more).toEqual([]);
    expect(fresh).toMatchObject({ state: "TASK_RUNNING", healthy: true });
    expect(fresh?.pid).not.toBe(victim.pid);
    const kept = after.instances.filter(({ id }) => known.has(id)).map(({ id, pid }) => [id, pid]);
    expect(kept.sort()).toEqual(others.map(({ id, pid }) => [id, pid]).sort());
    expect(swarm.processes(jobName).get(fresh?.id ?? "")).toEqual([fresh?.pid]);
    expect(swarm.processes(jobName).size).toBe(instanceCount);
    await clients.stop();
    expect(clients.errors).toEqual([]);
    expect(watching.violations).toEqual([]);
  } finally {
    await clients.stop();
    watching.stop();
  }
});

test(`${killCount} components killed with SIGKILL (seed ${seed}): no task stops, no client sees an error`, async () => {
  console.log(`chaos: ${killCount} kills; replay: ${replay}`);
  const before = await swarm.settled(30_000);
  const watching = new Watching(cluster.masterAddress);
  const clients = new Clients();
  const processes = new ProcessesWatch(before.instances.map(({ id, pid }) => [id, pid]));
  try {
    watching.start();
    processes.start();
    clients.http(placesOf(before));
    clients.dns(swarm.secondDnsAddress, srvName, portsOf(before));
    await swarm.killComponents(killCount, seededRandom(seed));
    await swarm.componentsAreBack(recoveryMs);
    const after = await swarm.settled(recoveryMs);
    await until("every status is acknowledged", recoveryMs, () => swarm.unacknowledged().length === 0);
    await clients.stop();
    const identity = ({ id, pid, agent, ports }: (typeof after.instances)[number]) => [id, pid, agent, ports["http"]];
    expect(clients.errors).toEqual([]);
    expect(processes.violations).toEqual([]);
    expect(watching.violations).toEqual([]);
    expect(after.instances.map(identity)).toEqual(before.instances.map(identity));
    expect(after).toMatchObject({ status: "running", running: instanceCount, healthy: instanceCount });
    expect(new Set(portsOf(after)).size).toBe(instanceCount);
    await expectListed(before.instances.map(({ id }) => id));
    // Else the test has seen nothing.
    expect(swarm.kills).toHaveLength(killCount);
    expect(clients.httpCount).toBeGreaterThan(killCount * instanceCount);
    expect(clients.dnsCount).toBeGreaterThan(killCount * 10);
    expect(watching.snapshotCount).toBeGreaterThan(killCount / 2);
    expect(processes.lookCount).toBeGreaterThan(killCount);
    console.log(
      `chaos: ${clients.httpCount} HTTP and ${clients.dnsCount} DNS answers, ${watching.snapshotCount} snapshots checked`,
    );
  } finally {
    processes.stop();
    await clients.stop();
    watching.stop();
  }
});

test("every component killed at one moment: all come back, and find their fifty tasks as they were", async () => {
  const before = await swarm.settled(30_000);
  const clients = new Clients();
  try {
    clients.http(placesOf(before));
    clients.dns(swarm.secondDnsAddress, srvName, portsOf(before));
    swarm.killAll();
    await until("the ready file is of the new processes", recoveryMs, () => {
      const { pid } = cluster.ready().master;
      return !swarm.kills.some((kill) => kill.pid === pid);
    });
    await swarm.componentsAreBack(recoveryMs);
    const after = await swarm.settled(recoveryMs);
    await until("the cluster's own DNS names all", recoveryMs, async () => {
      const named = await askSrvPorts(cluster.ready().dns.address, srvName).catch(() => []);
      return named.join() === portsOf(before).join();
    });
    await clients.stop();
    expect(clients.errors).toEqual([]);
    expect(after.instances).toEqual(before.instances);
    expect(swarm.processes(jobName)).toEqual(new Map(before.instances.map(({ id, pid }) => [id, [pid]])));
  } finally {
    await clients.stop();
  }
});

test(`${killsWhileScalingCount} more while a job is scaled to and fro: it ends with what was asked for, each once`, async () => {
  const swarmBefore = await swarm.settled(30_000);
  await swarm.startMoving();
  const random = seededRandom(seed).stream("scaling");
  const watching = new Watching(cluster.masterAddress);
  const clients = new Clients();
  const doubled: string[] = [];
  const look = setInterval(() => {
    for (const [id, pids] of swarm.processes(movingJobName)) if (pids.length > 1) doubled.push(`${id}: ${pids}`);
  }, 500);
  try {
    watching.start();
    clients.http(placesOf(swarmBefore));
    clients.dns(swarm.secondDnsAddress, srvName, portsOf(swarmBefore));
    let isOver = false;
    let scaledCount = 0;
    const scaling = (async () => {
      while (!isOver) {
        if (await swarm.scaleMoving(Math.floor(random.next() * (movingCountMax + 1)))) scaledCount++;
        await pause(random.next() * scaleEveryMsMax);
      }
    })();
    const killsBefore = swarm.kills.length;
    await swarm.killComponents(killsBefore + killsWhileScalingCount, random.stream("kills"));
    isOver = true;
    await scaling;
    await until("the last count is taken in", recoveryMs, () => swarm.scaleMoving(movingCountLast));
    await swarm.componentsAreBack(recoveryMs);
    await until("the job is as wanted", recoveryMs, async () => {
      const now = await cluster.job(movingJobName).catch(() => undefined);
      return now?.desired === movingCountLast && now.healthy === movingCountLast && now.running === movingCountLast;
    });
    const isExact = (): boolean => swarm.processes(movingJobName).size === movingCountLast;
    await until("no process too many is left", recoveryMs, isExact).catch(async () => {
      // What is said about each tells more than the number.
      const seen = [...swarm.processes(movingJobName)].map(([id, pids]) => ({ id, pids })).sort(byId);
      const { instances, ...job } = await cluster.job(movingJobName);
      expect({ job, instances, seen }).toBe(`${movingCountLast} instances`);
    });
    await until("every status is acknowledged", recoveryMs, () => swarm.unacknowledged().length === 0);
    const { instances } = await cluster.job(movingJobName);
    const alive = instances.filter(({ state }) => state === "TASK_RUNNING");
    expect(new Map(alive.map(({ id, pid }) => [id, [pid]]))).toEqual(swarm.processes(movingJobName));
    const swarmAfter = await swarm.settled(recoveryMs);
    await clients.stop();
    expect(clients.errors).toEqual([]);
    expect(watching.violations).toEqual([]);
    expect(doubled).toEqual([]);
    expect(swarmAfter.instances.map(({ id, pid }) => [id, pid])).toEqual(
      swarmBefore.instances.map(({ id, pid }) => [id, pid]),
    );
    await expectListed([...swarmBefore.instances, ...alive].map(({ id }) => id));
    expect(scaledCount).toBeGreaterThan(killsWhileScalingCount);
    console.log(`chaos: scaled ${scaledCount} times, ${watching.statuses.length} statuses read`);
  } finally {
    clearInterval(look);
    await clients.stop();
    watching.stop();
  }
});

test("case 12: fifty tasks run on while their agents are killed and started again, and are known within five seconds", async () => {
  const before = await swarm.settled(30_000);
  const { agents } = cluster.ready();
  for (const { pid } of agents) process.kill(pid, "SIGKILL");
  const areBack = (): boolean =>
    cluster.ready().agents.every(({ pid }) => pid > 0 && !agents.some((dead) => dead.pid === pid));
  await until("the agents are started again", recoveryMs, areBack);
  await until("each task is known to run", 5_000, async () => {
    const all = await cluster.json<{ name: string; state: string; tasks: number }[]>("agent", "list");
    return all.every(({ state }) => state === "registered") && all.reduce((sum, { tasks }) => sum + tasks, 0) >= 50;
  });
  const after = await swarm.settled(5_000);
  expect(after.instances).toEqual(before.instances);
  expect(swarm.processes(jobName)).toEqual(new Map(before.instances.map(({ id, pid }) => [id, [pid]])));
});

test("what is to end before a new master has heard the agents ends once they are back", async () => {
  await swarm.startMoving();
  const { master, agents } = cluster.ready();
  const surplus = swarm.processes(movingJobName).size - 1;
  expect(surplus).toBeGreaterThan(0);
  try {
    for (const { pid } of agents) process.kill(pid, "SIGSTOP");
    process.kill(master.pid, "SIGKILL");
    await until("a new master leads", recoveryMs, () => cluster.ready().master.pid !== master.pid);
    await until("the count is taken in", recoveryMs, () => swarm.scaleMoving(1));
    const frameworks = (): Promise<{ name: string; connected: boolean }[]> => cluster.json("framework", "list");
    await until("the framework is connected", recoveryMs, async () =>
      (await frameworks()).some(({ name, connected }) => name === "services" && connected),
    );
    // Time for the wish to reach a master that can't judge it yet.
    await pause(500);
    expect(swarm.processes(movingJobName).size).toBe(surplus + 1);
  } finally {
    for (const { pid } of agents) process.kill(pid, "SIGCONT");
  }
  await until("one is left", 20_000, () => swarm.processes(movingJobName).size === 1);
  await swarm.settled(recoveryMs);
});

test("SIGTERM after all that: six seconds later no process and no open port is left", async () => {
  const { instances } = await cluster.job(jobName);
  const { master, agents, dns, dashboard } = cluster.ready();
  const addresses = [master.address, ...agents.map(({ address }) => address), dns.address, new URL(dashboard.url).host];
  const ports = [
    ...addresses.map((address) => Number(address.split(":")[1])),
    ...instances.map((i) => i.ports["http"]),
  ];
  swarm.stopSecondDns();
  expect(await cluster.stop()).toBeLessThan(stopTimeoutMs);
  expect(processesOf(cluster.data)).toEqual([]);
  expect(await Promise.all(ports.map((port) => isOpen(port ?? 0)))).toEqual(ports.map(() => false));
});

function byId(a: { id: string }, b: { id: string }): number {
  return a.id < b.id ? -1 : 1;
}

/** `task list` names just these, once each, and nothing of the job has ended meanwhile. */
async function expectListed(ids: readonly string[]): Promise<void> {
  const listed = await cluster.json<{ id: string; state: string; health: string }[]>("task", "list");
  expect(listed.map(({ id }) => id).sort()).toEqual([...ids].sort());
  expect(listed.filter(({ state, health }) => state !== "TASK_RUNNING" || health !== "healthy")).toEqual([]);
}

/** Looks at the machine's processes all the time: each instance is one process, the same as before. */
class ProcessesWatch {
  readonly violations: Violation[] = [];
  lookCount = 0;
  readonly #expected: ReadonlyMap<string, number>;
  #timer: NodeJS.Timeout | undefined;

  constructor(expected: readonly (readonly [string, number])[]) {
    this.#expected = new Map(expected);
  }

  start(): void {
    this.#timer = setInterval(() => this.#look(), 500);
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  #look(): void {
    this.lookCount++;
    const seen = swarm.processes(jobName);
    for (const [id, pids] of seen)
      if (pids.length !== 1 || pids[0] !== this.#expected.get(id))
        this.violations.push({ rule: "two-processes", subject: id, detail: `processes ${pids.join(", ")}` });
    for (const id of this.#expected.keys())
      if (!seen.has(id)) this.violations.push({ rule: "lost", subject: id, detail: "has no process" });
  }
}

import { createCron } from "@muster/cron";
import { emptyMessage } from "@muster/foundation";
import { command, createStateClient, defineFramework, runFramework, tcp } from "@muster/framework-sdk";
import { canonicalJson, compileJob } from "@muster/jobspecs";
import { TaskState } from "@muster/proto";
import { type HostProcess, Inspector, masterAddress, SimCluster, testCluster } from "@muster/testing";
import { expect, test } from "vitest";

/** Keeps so many tasks running. */
const keeper = (want: number, name = "keeper") =>
  defineFramework({
    name,
    initialState: { want },
    reconcile({ state, tasks, place }) {
      return place(state.want - tasks.live().length, {
        name,
        resources: { cpuMillis: 10, memoryMiB: 1, ports: { http: "dynamic" } },
        run: command("work", ["serve", "listen"]),
        check: tcp("http"),
      });
    },
  });

interface Watched {
  readonly cluster: SimCluster;
  readonly inspector: Inspector;
  /** Every command that was ever started. */
  readonly starts: HostProcess[];
}

/** A cluster with a framework that keeps tasks running, and somebody who looks at all of it. */
function watched(seed: number, want: number, options: { agents?: number; portCount?: number } = {}): Watched {
  const cluster = new SimCluster({ seed, ...options });
  const inspector = new Inspector(cluster);
  const starts: HostProcess[] = [];
  inspector.onStart = (process) => void starts.push(process);
  const framework = keeper(want);
  cluster.addProgram("keeper", "framework", (life) => {
    runFramework(framework, { address: masterAddress, runtime: cluster.runtimeOf(life) });
  });
  cluster.start();
  inspector.start();
  return { cluster, inspector, starts };
}

const runningOf = (cluster: SimCluster) =>
  (cluster.master.view()?.tasks ?? []).filter(({ status }) => status?.state === TaskState.TASK_RUNNING);

/** Lets time pass until it is so, and gives how long that took. */
function timeUntil(cluster: SimCluster, limitMs: number, isSo: () => boolean): number {
  const beganMs = cluster.world.nowMs;
  while (!isSo()) {
    if (cluster.world.nowMs - beganMs >= limitMs) throw new Error(`not within ${limitMs} virtual ms: ${isSo}`);
    cluster.run(10);
  }
  return cluster.world.nowMs - beganMs;
}

const processIds = (cluster: SimCluster): string[] =>
  cluster.agents.flatMap(({ name, processes }) =>
    processes.alive().map(({ spec, started }) => `${name} ${spec.environment["MUSTER_TASK_ID"]} ${started?.pid}`),
  );

test("case 2: with a thousand tasks, ten seconds after the leader was killed there are offers again, and no task was touched", () => {
  const { cluster, starts } = watched(2, 1_000, { agents: 10, portCount: 200 });
  timeUntil(cluster, 120_000, () => runningOf(cluster).length === 1_000);
  const before = processIds(cluster);
  expect(before).toHaveLength(1_000);
  const offered: string[] = [];
  cluster.network.onMessage = (method, _from, to, message) => {
    const { offers = [] } = message as { offers?: readonly unknown[] };
    if (method === "Scheduling.Subscribe" && offers.length > 0) offered.push(to.name);
  };
  // Somebody who wants offers when the next leader is there.
  cluster.addProgram("wanting", "framework", (life) => {
    runFramework(keeper(1, "wanting"), { address: masterAddress, runtime: cluster.runtimeOf(life) });
  });
  cluster.master.program.crash("killed");
  cluster.programs.at(-1)?.start();
  expect(timeUntil(cluster, 10_000, () => offered.includes("wanting"))).toBeLessThanOrEqual(10_000);
  timeUntil(cluster, 10_000, () => runningOf(cluster).length >= 1_000);
  expect(processIds(cluster)).toEqual(expect.arrayContaining(before));
  expect(starts.length).toBeLessThanOrEqual(1_001);
  expect(cluster.violations.all).toEqual([]);
});

test("case 5: a transaction whose answer is lost is asked for again, and applied once", () => {
  const cluster = new SimCluster({ seed: 5, agents: 1 });
  const wanted = Array.from({ length: 60 }, (_, index) => index + 1);
  let lostCount = 0;
  cluster.store.onFault = () => void lostCount++;
  let written = 0;
  cluster.addProgram("writer", "framework", (life) => {
    const state = createStateClient(cluster.runtimeOf(life), { address: masterAddress, framework: "writer" });
    const next = (version: number): void => {
      const count = written + 1;
      if (count > wanted.length) return;
      state.get("numbers", (before) => {
        if (!before.ok) throw before.error;
        const numbers = before.value === undefined ? [] : (JSON.parse(before.value.value.toString()) as number[]);
        const put = Buffer.from(JSON.stringify([...numbers, count]));
        state.transact([{ key: "numbers", version, put }], (result) => {
          if (!result.ok) throw result.error;
          written = count;
          next(result.value[0] ?? 0);
        });
      });
    };
    cluster.world.after(life, 5_000, "begin", () => next(0));
  });
  cluster.start();
  cluster.run(4_000);
  cluster.store.faults = { ...cluster.store.faults, answerLostRate: 0.4 };
  timeUntil(cluster, 600_000, () => written === wanted.length);
  const entry = cluster.store.data.entries.get("state/writer/numbers");
  expect(JSON.parse(Buffer.from(entry?.value ?? []).toString())).toEqual(wanted);
  expect(lostCount).toBeGreaterThan(10);
});

test.each([3_600_000, -3_600_000])("case 9: a leader whose clock jumps by %i ms loses nothing", (byMs) => {
  const { cluster, starts } = watched(9, 30);
  timeUntil(cluster, 60_000, () => runningOf(cluster).length === 30);
  const before = processIds(cluster);
  cluster.world.skew("master", byMs);
  cluster.run(200_000);
  cluster.world.skew("master", 0);
  cluster.run(200_000);
  expect(processIds(cluster)).toEqual(before);
  expect(starts).toHaveLength(30);
  // It still does its work: what ends is replaced.
  cluster.agents[0]?.processes.killOne();
  timeUntil(cluster, 30_000, () => starts.length === 31 && runningOf(cluster).length === 30);
  expect(cluster.violations.all).toEqual([]);
});

const everySecondText = `job "tick" {
  type = "batch"
  periodic { interval = "R/2026-01-05T00:00:10Z/PT10S" }
  group "g" {
    task "t" {
      driver = "process"
      config {
        command = "work"
        args    = ["for", "500"]
      }
      resources {
        cpu    = 20
        memory = 32
      }
    }
  }
}`;

test("case 10: a clock of cron that goes back by an hour runs no instant twice, and goes on once it is right", () => {
  const cluster = new SimCluster({ seed: 10 });
  const inspector = new Inspector(cluster);
  const runs: string[] = [];
  inspector.onStart = ({ spec }) => {
    const taskId = spec.environment["MUSTER_TASK_ID"] ?? "";
    runs.push(taskId.slice(0, taskId.lastIndexOf("-")));
  };
  cluster.addProgram("cron", "cron", (life) => createCron(cluster.runtimeOf(life), { address: masterAddress }).start());
  const { job } = compileJob({ file: "tick.hcl", text: everySecondText });
  if (job === undefined) throw new Error("the job does not compile");
  const operator = cluster.world.begin("operator");
  const definition = Buffer.from(canonicalJson(job));
  const submission = { ...emptyMessage("JobSubmission"), name: job.id, type: job.type, role: job.role, definition };
  let isTaken = false;
  const submit = (): void => {
    cluster.network.transportOf(operator).call("Jobs.Run", masterAddress, { job: submission }, 5_000, (result) => {
      isTaken = result.ok;
      if (!result.ok) cluster.world.after(operator, 500, "again", submit);
    });
  };
  cluster.world.after(operator, 2_000, "order", submit);
  cluster.start();
  inspector.start();
  cluster.run(100_000);
  expect(isTaken).toBe(true);
  const countBefore = runs.length;
  expect(countBefore).toBeGreaterThanOrEqual(8);
  cluster.world.skew("cron", -3_600_000);
  cluster.run(60_000);
  // The next life reads the same wrong clock.
  cluster.programs.find(({ name }) => name === "cron")?.crash();
  cluster.run(60_000);
  const countWhileWrong = runs.length;
  cluster.world.skew("cron", 0);
  cluster.run(60_000);
  expect(new Set(runs).size).toBe(runs.length);
  expect(runs.length - countWhileWrong).toBeGreaterThanOrEqual(5);
  expect(cluster.violations.all).toEqual([]);
});

test("case 11: wherever the leader dies while a task is launched, the task runs at most once and its fate is told", () => {
  // Each run is the same until the leader dies, a little later than in the one before.
  const first = watched(11, 1, { agents: 1 });
  timeUntil(first.cluster, 60_000, () => runningOf(first.cluster).length === 1);
  const runningAtMs = first.cluster.world.nowMs;
  const offeredAtMs = runningAtMs - 400;
  const fates = new Set<string>();
  for (let atMs = offeredAtMs; atMs <= runningAtMs + 20; atMs += 5) {
    const { cluster, inspector, starts } = watched(11, 1, { agents: 1 });
    cluster.world.after(undefined, atMs, "leader dies", () => void cluster.master.program.crash());
    cluster.run(atMs + 1);
    fates.add(`${starts.length} started`);
    cluster.run(60_000);
    expect(cluster.violations.all, `dead at ${atMs} ms`).toEqual([]);
    expect(inspector.endsKnown(), `dead at ${atMs} ms`).toEqual([]);
    const ids = starts.map(({ spec }) => spec.environment["MUSTER_TASK_ID"]);
    expect(new Set(ids).size, `dead at ${atMs} ms`).toBe(ids.length);
    expect(runningOf(cluster), `dead at ${atMs} ms`).toHaveLength(1);
    expect(processIds(cluster), `dead at ${atMs} ms`).toHaveLength(1);
  }
  // Else the deaths were all on one side of the launch.
  expect(fates).toEqual(new Set(["0 started", "1 started"]));
});

test("case 14: an agent that loses its power during a write finds each record as it was or as it is, and tells every end", () => {
  let tornCount = 0;
  for (let seed = 1; seed <= 40; seed++) {
    const { cluster, inspector } = watched(seed, 12, { agents: 1 });
    const [agent] = cluster.agents;
    if (agent === undefined) throw new Error("no agent");
    timeUntil(cluster, 60_000, () => runningOf(cluster).length === 12);
    agent.disk.onFault = (fault) => {
      if (fault === "disk-torn") tornCount++;
    };
    agent.disk.onCommit = () =>
      cluster.world.after(undefined, 0.02 * seed, "power cut", () => {
        agent.processes.reboot();
        agent.program.crash("power", 1_000);
      });
    // What ends is recorded, and what takes its place: there is something to be cut.
    for (let killed = 0; killed < 6; killed++) agent.processes.killOne();
    // What has failed so often is tried again after minutes.
    cluster.run(400_000);
    expect(agent.disk.onCommit, `seed ${seed}`).toBeUndefined();
    expect(agent.disk.quarantined.size, `seed ${seed}`).toBe(0);
    expect(runningOf(cluster), `seed ${seed}`).toHaveLength(12);
    expect(inspector.endsKnown(), `seed ${seed}`).toEqual([]);
    expect(cluster.violations.all, `seed ${seed}`).toEqual([]);
  }
  expect(tornCount).toBeGreaterThan(10);
});

test.each([76, 200])(
  "case 25: an agent that was cut off for %i s has the same tasks when it is back, none twice",
  (seconds) => {
    const lab = testCluster({ seed: 25, agents: 2, framework: keeper(8) });
    lab.advance("30s");
    expect(lab.running()).toHaveLength(8);
    const before = lab.running().map(({ taskId, status }) => `${taskId} ${status?.container?.pid}`);
    // Its tasks are what this is about.
    const name = lab.running()[0]?.agentName ?? "";
    const agent = lab.agent(Number(name.slice("agent-".length)));
    agent.disconnect();
    lab.advance(`${seconds}s`);
    const unreachable = lab.tasks().filter(({ status }) => status?.state === TaskState.TASK_UNREACHABLE);
    // The bound counts from when the connection was found dead.
    if (seconds > 75 + 30) expect(unreachable.length).toBeGreaterThan(0);
    agent.heal();
    lab.advance("60s");
    const after = lab.running().map(({ taskId, status }) => `${taskId} ${status?.container?.pid}`);
    expect(after).toEqual(expect.arrayContaining(before));
    lab.assertInvariants();
  },
);

import { Health, StatusReason, TaskState } from "@muster/proto";
import { expect, test } from "vitest";
import { checkedPort, Lab, service, submission as submissionOf } from "../virtual/lab.ts";

const running = (lab: Lab, job: string) =>
  lab.tasks().filter(({ taskId, status }) => taskId.startsWith(`${job}.`) && status?.state === TaskState.TASK_RUNNING);

const declinesOf = (lab: Lab, from: string, sinceMs: number) =>
  lab.overheard
    .filter((one) => one.from === from && one.atMs >= sinceMs)
    .reduce((sum, { message }) => sum + (message.declines?.length ?? 0), 0);

test("case 41: a framework that wants nothing declines nothing in ten minutes, and a new job runs within 2 s", () => {
  const lab = new Lab().start();
  lab.submit(service("first"));
  lab.run(10_000);
  const sinceMs = lab.nowMs;
  lab.run(600_000);
  expect(declinesOf(lab, "services", sinceMs)).toBe(0);
  lab.submit(service("second"));
  lab.until(() => running(lab, "second").length === 1, 2_000);
});

/** What a demand does not say: an agent that would have room is offered, and is no use. */
const nowhere = `constraint {
      attribute = "\${node.unique.id}"
      value     = "nowhere"
    }`;

test("case 42: a decline that meets a new job on the way does not keep it waiting", () => {
  for (let offsetMs = 0; offsetMs < 40; offsetMs += 2) {
    const lab = new Lab({ seed: offsetMs, agents: 1, frameworks: ["services"] });
    lab.cluster.links.faults = { ...lab.cluster.links.faults, delayRate: 1, delayMsMax: 5 };
    lab.start();
    // Offers come for it, none fits, and all are declined.
    lab.submit(service("homeless", { group: nowhere }));
    lab.run(offsetMs);
    const sinceMs = lab.nowMs;
    lab.submit(service("web"));
    lab.until(() => running(lab, "web").length === 1, 1_200);
    expect(declinesOf(lab, "services", 0)).toBeGreaterThan(0);
    expect(lab.nowMs - sinceMs).toBeLessThan(1_200);
  }
});

test("case 44: where one framework is idle the other has all that there is at once", () => {
  const lab = new Lab({ agents: 3, cpuMillis: 4_000 }).start();
  lab.submit(service("backlog", { count: 20, cpu: 1_000 }));
  lab.until(() => lab.alive().length === 12, 500);
  const accepts = lab.overheard.filter(({ message }) => (message.accepts?.length ?? 0) > 0);
  expect(accepts.length).toBeLessThanOrEqual(2);
  expect(new Set(accepts.map(({ from }) => from))).toEqual(new Set(["services"]));
});

/** Each millisecond while the change is taken in and its first steps are made, and some while it goes on. */
const momentsMs = [...Array(12).keys(), 1_000, 5_000, 11_000, 20_000];

test("case 24: wherever framework or master dies while an update is overtaken by another, one version remains and all run it", () => {
  for (const victim of ["services", "master"] as const)
    for (const dieAfterMs of momentsMs) {
      const lab = new Lab({ seed: dieAfterMs, frameworks: ["services"] }).start();
      const text = (cpu: number) => service("web", { count: 3, cpu });
      lab.submit(text(100));
      lab.until(() => running(lab, "web").length === 3);
      lab.submit(text(110));
      lab.run(12_000);
      const asked = lab.ask("Jobs.Run", submissionOf(text(120)));
      lab.run(dieAfterMs);
      const programs = { services: lab.services, master: lab.cluster.master.program };
      programs[victim]?.crash();
      lab.run(240_000);
      const { job } = lab.call("Jobs.Get", { name: "web" });
      const cpu = JSON.parse(job?.definition.toString() ?? "{}").groups[0].tasks[0].resources.cpuMillis;
      const where = `${victim} dies after ${dieAfterMs} ms`;
      if (asked.result?.ok) expect(cpu, where).toBe(120);
      else expect([110, 120], where).toContain(cpu);
      expect(
        running(lab, "web").map(({ resources }) => resources?.cpuMillis),
        where,
      ).toEqual([cpu, cpu, cpu]);
      const { versions } = lab.call("Jobs.History", { name: "web" });
      expect(new Set(versions.map(({ version }) => version)).size, where).toBe(versions.length);
    }
});

/** Ten instances on ten agents, which are ended when their check has failed three times. */
const spread = service("web", {
  count: 10,
  group: `constraint {
      distinct_hosts = true
    }
    network {
      port "http" {}
    }
    service {
      port = "http"
      check {
        type     = "tcp"
        interval = "10s"
        timeout  = "2s"
        check_restart {
          limit = 3
        }
      }
    }`,
});

test("case 32: when eight of ten instances fail their checks, at most a quarter is ended within an interval, and whoever follows the job is told", () => {
  const lab = new Lab({ agents: 10, frameworks: ["services"] }).start();
  lab.submit(spread);
  lab.until(() => running(lab, "web").filter(({ status }) => status?.health === Health.HEALTH_HEALTHY).length === 10);
  lab.run(15_000);
  const sick = new Set<string>();
  for (const host of lab.cluster.agents.slice(0, 8))
    for (const process of host.processes.alive()) {
      process.isListening = false;
      sick.add(process.spec.environment["MUSTER_TASK_ID"] ?? "");
    }
  expect(sick.size).toBe(8);
  const endedAtMs = new Map<string, number>();
  const told: string[] = [];
  const startMs = lab.nowMs;
  while (lab.nowMs - startMs < 120_000) {
    lab.run(100);
    const alive = new Set(lab.alive().map(({ taskId }) => taskId));
    for (const taskId of sick) if (!alive.has(taskId) && !endedAtMs.has(taskId)) endedAtMs.set(taskId, lab.nowMs);
    if ((lab.nowMs - startMs) % 1_000 < 100) told.push(lab.call("Jobs.Get", { name: "web" }).job?.message ?? "");
  }
  expect(endedAtMs.size).toBe(8);
  const times = [...endedAtMs.values()];
  // The word to each agent, and what it finds when it looks, take a moment.
  const intervalMs = 10_000 - 300;
  for (const atMs of times)
    expect(times.filter((other) => other > atMs - intervalMs && other <= atMs).length).toBeLessThanOrEqual(2);
  expect(told.some((message) => message.includes("fail their checks and are ended later: at most 2 of"))).toBe(true);
  expect(running(lab, "web")).toHaveLength(10);
});

test("case 43: of a hundred jobs that are handed in within a second none waits for long, and the role asks anew once a second at most", () => {
  for (const isAnyStuck of [false, true]) {
    const lab = new Lab({ agents: 3, frameworks: ["services"] }).start();
    if (isAnyStuck) lab.submit(service("homeless", { group: nowhere }));
    const sinceMs = lab.nowMs;
    for (let i = 0; i < 100; i++) {
      lab.ask("Jobs.Run", submissionOf(service(`app-${i}`, { cpu: 10 })));
      lab.run(10);
    }
    expect(lab.nowMs - sinceMs).toBeLessThan(1_100);
    lab.until(
      () => Array.from({ length: 100 }, (_, i) => running(lab, `app-${i}`)).every(({ length }) => length === 1),
      2_000,
    );
    const revivedAtMs = lab.overheard
      .filter(({ message }) => (message.revives?.length ?? 0) > 0)
      .map(({ atMs }) => atMs);
    for (const [index, atMs] of revivedAtMs.slice(1).entries())
      expect(atMs - (revivedAtMs[index] ?? 0)).toBeGreaterThan(950);
    expect(revivedAtMs.length).toBeGreaterThan(0);
  }
});

/** A service whose check asks its port, and which is killed when the check has failed three times. */
const checked = (listens: boolean, limit = 3): string =>
  service("web", {
    args: listens ? ["serve", "listen"] : ["serve"],
    group: `network {
      port "http" {}
    }
    service {
      port = "http"
      check {
        type     = "tcp"
        interval = "10s"
        timeout  = "2s"
        check_restart {
          limit = ${limit}
          grace = "300s"
        }
      }
    }`,
  });

test("case 30: a task that never passes its check lives through its grace of 300 s, and ends with the third failure after", () => {
  const lab = new Lab({ agents: 1, frameworks: ["services"] }).start();
  lab.submit(checked(false));
  lab.until(() => running(lab, "web").length === 1);
  const [first] = lab.alive();
  const isAlive = () => lab.alive().some(({ taskId }) => taskId === first?.taskId);
  lab.run(299_000);
  expect(isAlive()).toBe(true);
  const sinceMs = lab.nowMs;
  lab.until(() => !isAlive(), 40_000);
  // The first failure that counts is at most an interval after the grace, the third two intervals later.
  expect(lab.nowMs - sinceMs).toBeGreaterThan(20_000);
  expect(lab.nowMs - sinceMs).toBeLessThan(33_000);
  expect(lab.tasks().find(({ taskId }) => taskId === first?.taskId)?.status?.reason).toBe(
    StatusReason.REASON_UNHEALTHY,
  );
});

test("case 31: a task that has passed its check within the grace ends with its third failure; without a limit never", () => {
  for (const limit of [3, 0]) {
    const lab = new Lab({ agents: 1, frameworks: ["services"] }).start();
    lab.submit(checked(true, limit));
    lab.until(() => running(lab, "web")[0]?.status?.health === Health.HEALTH_HEALTHY);
    const [first] = lab.alive();
    const isAlive = () => lab.alive().some(({ taskId }) => taskId === first?.taskId);
    lab.run(30_000);
    lab.stopListening();
    const sinceMs = lab.nowMs;
    if (limit === 0) {
      lab.run(3_600_000);
      expect(isAlive()).toBe(true);
      continue;
    }
    lab.until(() => !isAlive(), 40_000);
    expect(lab.nowMs - sinceMs).toBeGreaterThan(19_000);
    expect(lab.nowMs - sinceMs).toBeLessThan(33_000);
  }
});

test("case 37: a task that ignores TERM is killed when its 30 s are over, and what was asked is told until it has ended", () => {
  for (const isHindered of [false, true]) {
    const lab = new Lab({ agents: 1, frameworks: ["services"] }).start();
    lab.submit(service("web", { args: ["serve", "deaf"], task: 'kill_timeout = "30s"' }));
    lab.until(() => running(lab, "web").length === 1);
    const agents = lab.cluster.agents.map(({ name }) => name);
    // The first kill is lost on its way, and its connection with it.
    if (isHindered) lab.cut(agents, ["master"]);
    lab.call("Jobs.Stop", { name: "web", purge: false });
    if (isHindered) {
      lab.cluster.master.program.crash();
      lab.heal(agents, ["master"]);
      lab.until(() => lab.tasks().length > 0);
    }
    const sinceMs = lab.nowMs;
    lab.run(29_900);
    expect(lab.alive()).toHaveLength(1);
    lab.until(() => lab.alive().length === 0, isHindered ? 10_000 : 300);
    expect(lab.nowMs - sinceMs).toBeGreaterThan(29_900);
    lab.until(() => lab.tasks()[0]?.status?.state === TaskState.TASK_KILLED);
  }
});

test("case 16: an update whose new instances never become healthy is taken back after ten minutes, with all healthy throughout", () => {
  const lab = new Lab({ frameworks: ["services"] }).start();
  const version = (args: string[]) =>
    service("web", {
      count: 4,
      args,
      group: checkedPort,
    });
  lab.submit(version(["serve", "listen"]));
  const healthy = () => running(lab, "web").filter(({ status }) => status?.health === Health.HEALTH_HEALTHY).length;
  lab.until(() => healthy() === 4);
  lab.run(30_000);
  lab.submit(version(["serve"]));
  const history = () => lab.call("Jobs.History", { name: "web" }).versions.map((one) => [one.version, one.cause]);
  const sinceMs = lab.nowMs;
  while (lab.nowMs - sinceMs < 595_000) {
    lab.run(1_000);
    expect(healthy()).toBe(4);
  }
  expect(history()).toEqual([
    [2, "run"],
    [1, "run"],
  ]);
  while (lab.nowMs - sinceMs < 660_000) {
    lab.run(1_000);
    expect(healthy()).toBe(4);
  }
  expect(history()[0]).toEqual([3, "revert"]);
  expect(lab.alive().map(({ spec }) => spec.arguments)).toEqual(Array(4).fill(["serve", "listen"]));
  lab.run(1_800_000);
  expect(history()).toHaveLength(3);
  expect(healthy()).toBe(4);
});

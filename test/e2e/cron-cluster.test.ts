import { JobState, RunState, TaskState } from "@muster/proto";
import { expect, test } from "vitest";
import { batch, Lab, submission } from "../virtual/lab.ts";

const everySeconds = (seconds: number) => `periodic {
    interval = "R//PT${seconds}S"
    overlap  = "skip"
  }`;

test("case 63: a cron that starts anew is the same framework, and nobody else's session holds offers", () => {
  const lab = new Lab({ frameworks: ["cron"] }).start();
  const subscribed = () => lab.overheard.flatMap(({ message }) => (message.subscribed ? [message.subscribed] : []));
  lab.submit(batch("before"));
  lab.run(5_000);
  for (let life = 2; life <= 4; life++) {
    lab.cron?.crash();
    lab.until(() => subscribed().length === life);
    lab.submit(batch(`after-${life}`));
    lab.until(() => lab.tasks().some(({ taskId }) => taskId.startsWith(`after-${life}.`)), 5_000);
  }
  const ids = new Set(subscribed().map(({ frameworkId }) => frameworkId));
  expect(ids.size).toBe(1);
  lab.run(5_000);
  const view = lab.cluster.master.view();
  for (const { frameworkId } of view?.offers ?? []) expect(ids).toContain(frameworkId);
  // What no task uses is free again: nothing hangs on a session that is over.
  expect(view?.agents.every(({ offered, allocated }) => !offered?.cpuMillis && !allocated?.cpuMillis)).toBe(true);
});

test("case 64: while cron is cut off a job is refused as unavailable, and nothing that was taken in is lost", () => {
  const lab = new Lab({ frameworks: ["cron"] }).start();
  lab.submit(batch("kept", { periodic: everySeconds(60) }));
  lab.run(5_000);
  lab.cut(["cron"], ["master"]);
  const kinds: string[] = [];
  for (let index = 0; index < 20; index++) {
    const asked = lab.ask("Jobs.Run", submission(batch(`late-${index}`)));
    lab.run(11_000);
    if (asked.result?.ok !== false) throw new Error("was taken in");
    kinds.push(asked.result.error.kind);
  }
  // Until the master has noticed, a call takes its time in vain; then it is refused at once.
  expect(new Set(kinds.slice(0, 4))).toEqual(new Set(["too-late", "unavailable"]));
  expect(new Set(kinds.slice(4))).toEqual(new Set(["unavailable"]));
  lab.heal(["cron"], ["master"]);
  lab.run(60_000);
  expect(lab.call("Jobs.Get", { name: "kept" }).job?.summary?.version).toBe(1);
  expect(lab.submit(batch("late-0")).changed).toBe(true);
});

test("case 75: a run that takes longer than it may is ended, and has failed for that reason", () => {
  const lab = new Lab({ agents: 1, frameworks: ["cron"] }).start();
  const text = batch("long", { seconds: 600 }).replace(
    'group "g" {',
    `group "g" {
    max_run_duration = "60s"
    restart {
      attempts = 0
    }`,
  );
  lab.submit(text);
  lab.until(() => lab.alive().length === 1);
  lab.run(59_500);
  expect(lab.alive()).toHaveLength(1);
  lab.run(1_500);
  expect(lab.alive()).toEqual([]);
  const { runs } = lab.call("Jobs.Runs", { name: "long", limit: 10 });
  expect(runs).toMatchObject([{ state: RunState.RUN_STATE_FAILED, attemptCount: 1 }]);
  expect(runs[0]?.reason).toContain("maximum time");
  expect(lab.tasks().at(-1)?.status?.state).toBe(TaskState.TASK_FAILED);
});

/** Random jobs as Jepsen's test of Chronos had them: they run for up to 9 s, and never need to overlap. */
function jepsenJobs(count: number, draw: (below: number) => number) {
  return Array.from({ length: count }, (_, index) => {
    const seconds = draw(10);
    const epsilon = 10 + draw(20);
    return { name: `job-${index}`, seconds, epsilon, period: seconds + epsilon + 5 + draw(30) };
  });
}

test("case 60: a minute after the halves of a divided cluster are one again no target is missed, and nobody had to restart anything", () => {
  for (const seed of [1, 2, 3]) {
    const lab = new Lab({ seed, agents: 4, frameworks: ["cron"] });
    const random = lab.cluster.world.random("halves");
    const draw = (below: number) => Math.floor(random.next() * below);
    lab.start();
    const jobs = jepsenJobs(6, draw);
    for (const { name, seconds, period } of jobs) lab.submit(batch(name, { seconds, periodic: everySeconds(period) }));
    const hosts = ["master", "cron", ...lab.cluster.agents.map(({ name }) => name)];
    for (let round = 0; round < 3; round++) {
      const some = hosts.filter(() => random.next() < 0.5);
      const others = hosts.filter((host) => !some.includes(host));
      lab.cut(some, others);
      lab.run(200_000);
      lab.heal(some, others);
      lab.run(200_000);
    }
    const some = ["master", "agent-0"];
    const others = hosts.filter((host) => !some.includes(host));
    lab.cut(some, others);
    lab.run(200_000);
    lab.heal(some, others);
    lab.run(60_000);
    const wellAgainAt = lab.cluster.world.epochMs;
    lab.run(180_000);
    const endsAt = lab.cluster.world.epochMs;
    for (const { name, seconds, epsilon, period } of jobs) {
      const { runs } = lab.call("Jobs.Runs", { name, limit: 100 });
      const closed = runs.filter(
        ({ plannedAt }) =>
          Number(plannedAt) > wellAgainAt && Number(plannedAt) + (epsilon + 5 + seconds) * 1_000 < endsAt,
      );
      const where = `seed ${seed}, ${name}`;
      expect(closed.length, where).toBeGreaterThanOrEqual(Math.floor((180 - epsilon - 5 - seconds) / period) - 1);
      expect(closed.length, where).toBeGreaterThan(0);
      for (const run of closed) {
        expect(run.state, where).toBe(RunState.RUN_STATE_SUCCEEDED);
        expect(Number(run.startedAt) - Number(run.plannedAt), where).toBeLessThan((epsilon + 5) * 1_000);
      }
    }
  }
});

test("sysbatch: a run goes to every agent of a cluster, one that was down has its turn later, and none has two", () => {
  const lab = new Lab({ agents: 4, frameworks: ["cron"] }).start();
  const late = lab.cluster.agents[3];
  late?.reboot(120_000);
  // Until the master has noticed, it would be launched there, and told of once the agent is back.
  lab.run(60_000);
  const ran = new Set<string>();
  const look = (forMs: number) => {
    const endsAtMs = lab.nowMs + forMs;
    while (lab.nowMs < endsAtMs) {
      lab.run(100);
      for (const { agent, taskId } of lab.alive()) ran.add(`${agent} ${taskId}`);
    }
  };
  const agents = () => [...ran].map((one) => one.split(" ")[0]).sort();
  lab.submit(batch("sweep", { seconds: 2 }).replace('type = "batch"', 'type = "sysbatch"'));
  look(20_000);
  expect(agents()).toEqual(["agent-0", "agent-1", "agent-2"]);
  expect(lab.call("Jobs.Get", { name: "sweep" }).job?.summary?.state).toBe(JobState.JOB_STATE_COMPLETE);
  lab.cron?.crash();
  look(150_000);
  expect(agents()).toEqual(["agent-0", "agent-1", "agent-2", "agent-3"]);
  const { job } = lab.call("Jobs.Get", { name: "sweep" });
  expect(job?.summary?.state).toBe(JobState.JOB_STATE_COMPLETE);
  expect(job?.instances.map(({ agentName, exitCode }) => `${agentName} ${exitCode}`).sort()).toEqual([
    "agent-0 0",
    "agent-1 0",
    "agent-2 0",
    "agent-3 0",
  ]);
});

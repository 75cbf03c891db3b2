// biome-ignore-all lint/suspicious/noTemplateCurlyInString: the values are texts of the job's language.
import { JobState, taskStateName } from "@muster/framework-sdk";
import type { Job, Schedule } from "@muster/jobspecs";
import { expect, test } from "vitest";
import { aJob, type CoreWorld, every, minuteMs, secondMs, startedWorld } from "./world.test.fixture.ts";

const anywhere = (id: string, change: (job: Job) => Job = (job) => job, schedule?: Schedule): Job =>
  aJob(id, schedule, (job) => change({ ...job, type: "sysbatch" }));

function worldOf(...names: string[]): CoreWorld {
  const world = startedWorld();
  world.agentNames = names;
  world.tellAgents();
  return world;
}

/** Who runs it has to hear of the agents anew: they are looked at only while somebody needs them. */
function submitted(world: CoreWorld, job: Job): void {
  world.submit(job);
  world.tellAgents();
  world.run(5 * secondMs);
}

const launchedOn = (world: CoreWorld): string[] => world.launches.map(({ agentId }) => agentId).sort();
const endsOf = (world: CoreWorld, jobId: string): string[] =>
  world
    .status(jobId)
    .instances.map(({ agentName, state }) => `${agentName} ${taskStateName(state)}`)
    .sort();

test("sysbatch: it runs once to its end on every agent, also on one that comes later", () => {
  const world = worldOf("a", "b", "c");
  submitted(world, anywhere("sweep"));
  expect(launchedOn(world)).toEqual(["agent-a", "agent-b", "agent-c"]);
  expect(world.summary("sweep").state).toBe(JobState.JOB_STATE_COMPLETE);
  world.agentNames = ["a", "b", "c", "d"];
  world.tellAgents();
  world.run(100);
  expect(world.summary("sweep").state).toBe(JobState.JOB_STATE_RUNNING);
  world.run(5 * secondMs);
  expect(launchedOn(world)).toEqual(["agent-a", "agent-b", "agent-c", "agent-d"]);
  expect(endsOf(world, "sweep")).toEqual(["a", "b", "c", "d"].map((name) => `${name} TASK_FINISHED`));
  expect(world.runs("sweep")).toHaveLength(1);
});

test("sysbatch: agents that do not meet its constraints, or lack its driver, have none of it", () => {
  const world = worldOf("a");
  submitted(
    world,
    anywhere("bsd", (job) => ({
      ...job,
      constraints: [{ attribute: "${attr.kernel.name}", operator: "=", value: "freebsd" }],
    })),
  );
  submitted(
    world,
    anywhere("boxed", (job) => ({
      ...job,
      groups: job.groups.map((group) => ({
        ...group,
        tasks: group.tasks.map((task) => ({ ...task, driver: "docker" as const })),
      })),
    })),
  );
  world.run(minuteMs);
  expect(world.launches).toEqual([]);
  expect(world.status("bsd").message).toMatch(/no agent/);
  expect(world.summary("boxed").state).toBe(JobState.JOB_STATE_PENDING);
});

test("sysbatch: it is tried again on the same agent by its policy, and its failure there is nobody else's", () => {
  const world = worldOf("a", "b");
  world.behave = (taskId) => ({ forMs: secondMs, ends: taskId.includes(".0-0-") ? 3 : 0 });
  submitted(world, anywhere("sweep"));
  expect(world.summary("sweep").state).not.toBe(JobState.JOB_STATE_FAILED);
  world.run(10 * minuteMs);
  expect(launchedOn(world)).toEqual(["agent-a", "agent-a", "agent-a", "agent-b"]);
  expect(world.summary("sweep").state).toBe(JobState.JOB_STATE_FAILED);
  expect(endsOf(world, "sweep")).toEqual(["a TASK_FAILED", "b TASK_FINISHED"]);
  expect(world.status("sweep").message).toMatch(/done on 2 of 2 agents, and failed on 1/);
});

test("sysbatch: after a crash of the framework nothing runs twice on an agent", () => {
  const world = worldOf("a", "b");
  world.behave = (taskId) => ({ forMs: taskId.includes(".0-1-") ? minuteMs : secondMs });
  submitted(world, anywhere("sweep"));
  world.crash();
  world.run(secondMs);
  world.start();
  world.tellAgents();
  world.run(2 * minuteMs);
  world.tellAgents();
  world.run(2 * minuteMs);
  expect(launchedOn(world)).toEqual(["agent-a", "agent-b"]);
  expect(world.summary("sweep").state).toBe(JobState.JOB_STATE_COMPLETE);
  expect(endsOf(world, "sweep")).toEqual(["a TASK_FINISHED", "b TASK_FINISHED"]);
});

test("sysbatch: an agent that is away is not waited for, and has its turn when it is back", () => {
  const world = worldOf("a", "b");
  world.hasRoom = false;
  submitted(world, anywhere("sweep"));
  world.agentNames = ["a"];
  world.awayNames = ["b"];
  world.hasRoom = true;
  world.tellAgents();
  world.offer();
  world.run(5 * secondMs);
  expect(launchedOn(world)).toEqual(["agent-a"]);
  expect(world.summary("sweep").state).toBe(JobState.JOB_STATE_COMPLETE);
  expect(world.status("sweep").message).toMatch(/waits for agents that are away: b/);
  world.agentNames = ["a", "b"];
  world.awayNames = [];
  world.tellAgents();
  world.run(5 * secondMs);
  expect(launchedOn(world)).toEqual(["agent-a", "agent-b"]);
});

test("sysbatch: what waits for an agent that is no more is forgotten", () => {
  const world = worldOf("a", "b");
  world.hasRoom = false;
  submitted(world, anywhere("sweep"));
  expect(world.runs("sweep")[0]?.instances).toHaveLength(2);
  world.agentNames = ["a"];
  world.tellAgents();
  expect(world.runs("sweep")[0]?.instances.map(({ agentName }) => agentName)).toEqual(["a"]);
});

test("sysbatch: a periodic one runs on every agent each time, and each run has an end", () => {
  const world = worldOf("a", "b");
  submitted(world, anywhere("sweep", undefined, every("R3/2026-06-01T00:01:00Z/PT1M")));
  for (let minute = 0; minute < 5; minute++) {
    world.run(minuteMs);
    world.tellAgents();
  }
  world.run(minuteMs);
  expect(world.runs("sweep").map(({ phase }) => phase)).toEqual(["succeeded", "succeeded", "succeeded"]);
  expect(launchedOn(world)).toEqual([...Array(3).fill("agent-a"), ...Array(3).fill("agent-b")]);
  expect(endsOf(world, "sweep")).toEqual(["a TASK_FINISHED", "b TASK_FINISHED"]);
});

test("sysbatch: a new version takes the place of what runs, and a stop ends it everywhere", () => {
  const world = worldOf("a", "b");
  world.behave = () => ({ forMs: 10 * minuteMs });
  submitted(world, anywhere("sweep"));
  submitted(
    world,
    anywhere("sweep", (job) => ({ ...job, meta: { a: "b" } })),
  );
  expect(world.runs("sweep").map(({ phase }) => phase)).toEqual(["killed", "running"]);
  expect(world.liveTaskIds).toHaveLength(2);
  world.stopJob("sweep");
  world.run(secondMs);
  expect(world.liveTaskIds).toEqual([]);
  expect(world.summary("sweep").state).toBe(JobState.JOB_STATE_STOPPED);
});

test("sysbatch: a run that is done counts as such when its job is stopped, and may be asked for anew", () => {
  const world = worldOf("a", "b");
  submitted(world, anywhere("sweep"));
  world.force("sweep");
  world.tellAgents();
  world.run(5 * secondMs);
  expect(launchedOn(world)).toEqual(["agent-a", "agent-a", "agent-b", "agent-b"]);
  world.stopJob("sweep");
  expect(world.runs("sweep").map(({ phase }) => phase)).toEqual(["succeeded", "succeeded"]);
});

test("sysbatch: of many agents so many have their turn at once that the record of them stays small", () => {
  const world = worldOf(...Array.from({ length: 1_100 }, (_, index) => `n${index}`));
  world.submit(anywhere("sweep"));
  world.tellAgents();
  world.run(100);
  expect(world.liveTaskIds.length).toBe(500);
  expect(world.status("sweep").message).toMatch(/further agents have their turn/);
  world.run(minuteMs);
  expect(launchedOn(world)).toHaveLength(1_000);
  expect(new Set(launchedOn(world)).size).toBe(1_000);
  expect(world.status("sweep").message).toMatch(/100 more agents than one run can have are left out/);
  expect(world.storedBytes("runs/sweep")).toBeLessThan(150_000);
});

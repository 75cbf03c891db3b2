import { AgentState, type PlanResponse, seededRandom } from "@muster/framework-sdk";
import { expect, test } from "vitest";
import { anAgent, definitionOf, jobText, SmallWorld } from "./core.test.support.ts";
import { planRun } from "./plan.ts";
import { jobStatus } from "./report.ts";
import { readJob, versionEntry } from "./versions.ts";

const around = (world: SmallWorld) => ({ agents: world.agents, isKnown: true, random: seededRandom("x") });

function plan(world: SmallWorld, text: string): PlanResponse {
  const definition = definitionOf(text);
  const record = { version: 0, submittedAt: 0, cause: "run", definition, source: "", stable: false } as const;
  const job = readJob(definition);
  return planRun(world.state.jobs.get(job.id), versionEntry(record, job), around(world));
}

function running(text: string): SmallWorld {
  const world = new SmallWorld(anAgent("a"), anAgent("b"));
  world.run(text);
  world.advance(2_000, 100, () => world.startAll());
  return world;
}

const other = 'group "old" {\n task "t" {\n driver = "process"\n config {\n command = "true"\n }\n }\n }';
const zero = { createCount: 0, destroyCount: 0, replaceCount: 0, updateCount: 0, keepCount: 0, forecast: "" };

test("a plan says of each group what is new, ends, is replaced, changes in place or stays", () => {
  const world = running(jobText("web", { count: 3, head: other }));
  expect(plan(world, jobText("web", { count: 3, head: other })).groups.map(({ keepCount }) => keepCount)).toEqual([
    1, 3,
  ]);
  expect(plan(world, jobText("web", { count: 5 })).groups).toEqual([
    { ...zero, group: "g", createCount: 2, updateCount: 3 },
    { ...zero, group: "old", destroyCount: 1 },
  ]);
  expect(plan(world, jobText("web", { count: 1, head: other })).groups[1]).toEqual({
    ...zero,
    group: "g",
    destroyCount: 2,
    updateCount: 1,
  });
});

test("where instances are replaced the plan says how, and that is how it goes", () => {
  const world = running(jobText("web", { count: 4 }));
  const update = 'update {\n max_parallel = 2\n canary = 1\n min_healthy_time = "20s"\n }';
  const [group] = plan(world, jobText("web", { count: 4, task: 'user = "nobody"', group: update })).groups;
  expect(group).toMatchObject({ replaceCount: 4, keepCount: 0 });
  expect(group?.forecast).toBe(
    "1 canaries first, then it waits for job promote; 2 at a time; each healthy for 20 s, so at least 40 s in all",
  );
  const [surge] = plan(world, jobText("web", { count: 4, task: 'user = "nobody"' })).groups;
  expect(surge?.forecast).toBe(
    "at least 4 healthy and at most 5 at once; each healthy for 10 s, so at least 40 s in all; taken back after 600 s without progress",
  );
});

test("a plan of what fits nowhere says what is needed, the nearest miss and what would change it", () => {
  const world = new SmallWorld(anAgent("a", 1_000, 99), anAgent("b", 1_000, 64));
  const { obstacles } = plan(world, jobText("web"));
  expect(obstacles).toEqual([
    {
      group: "g",
      agentCount: 2,
      agentNames: ["a", "b"],
      reason: "needs 100 MiB of memory, the most that is free is 99 on a",
      remedy: "no agent will ever do, the largest has 99 MiB of memory in all: ask for less, or add a larger one",
    },
  ]);
});

test("what waits says which agents can't be used at all, and which offers it has seen", () => {
  const world = new SmallWorld(anAgent("a", 10), { ...anAgent("b"), state: AgentState.AGENT_STATE_UNREACHABLE });
  world.run(jobText("web"));
  world.advance(5_000, 1_000);
  const status = jobStatus(world.state, world.entry("web"), around(world), world.now);
  expect(status.message).toContain("(1 offer looked at 0 s ago, none of them fits)");
  expect(status.obstacles.map(({ agentNames, reason }) => [agentNames, reason])).toEqual([
    [["a"], "needs 100 milli-CPU of cpu, the most that is free is 10 on a"],
    [["b"], "is out of reach"],
  ]);
});

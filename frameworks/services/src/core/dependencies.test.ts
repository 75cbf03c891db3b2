import { Health, JobState, seededRandom, TaskState } from "@muster/framework-sdk";
import { expect, test } from "vitest";
import { anAgent, checkedPort, jobText, restartFramework, SmallWorld } from "./core.test.support.ts";
import { refuseCycle, waitingFor } from "./dependencies.ts";
import { jobStatus } from "./report.ts";
import { readJob } from "./versions.ts";

const { HEALTH_HEALTHY, HEALTH_UNHEALTHY } = Health;
const needs = (job: string, condition = "healthy") => `depends_on {
    job = "${job}"
    condition = "${condition}"
  }`;
const names = (world: SmallWorld): string[] => world.launched.map((id) => id.split(".")[0] ?? "");
const messageOf = (world: SmallWorld, name: string): string =>
  jobStatus(
    world.state,
    world.entry(name),
    { agents: world.agents, isKnown: true, random: seededRandom("x") },
    world.now,
  ).message;

test("a group starts when what it needs is healthy as a whole, and says until then what it waits for", () => {
  const world = new SmallWorld(anAgent("a"));
  world.run(jobText("web", { head: needs("db") }));
  world.advance(1_000);
  expect(messageOf(world, "web")).toContain("group g does not start yet: there is no job db");
  world.run(jobText("db", { count: 2, group: checkedPort }));
  world.advance(1_000);
  world.startAll(HEALTH_UNHEALTHY);
  world.advance(10_000);
  expect(names(world)).toEqual(["db", "db"]);
  expect(messageOf(world, "web")).toContain("0 of 2 instances of job db are healthy");
  const [first, second] = world.launched as [string, string];
  world.tell(first, TaskState.TASK_RUNNING, { health: HEALTH_HEALTHY });
  world.advance(1_000);
  expect(messageOf(world, "web")).toContain("1 of 2 instances");
  world.tell(second, TaskState.TASK_RUNNING, { health: HEALTH_HEALTHY });
  world.advance(1_000);
  expect(names(world)).toEqual(["db", "db", "web"]);
});

test("what runs goes on and is replaced, whatever becomes of what it needs", () => {
  const world = new SmallWorld(anAgent("a"));
  world.run(jobText("db"));
  world.run(jobText("web", { count: 2, head: needs("db") }));
  world.advance(1_000, 100, () => world.startAll());
  expect(names(world)).toEqual(["db", "web", "web"]);
  world.stop("db");
  world.advance(1_000);
  expect(world.live("web")).toHaveLength(2);
  world.fail(world.launched[1] as string);
  world.advance(5_000);
  expect(names(world).filter((name) => name === "web")).toHaveLength(3);
});

test("a group of its own may wait while the job's others start", () => {
  const world = new SmallWorld(anAgent("a"));
  const other = 'group "first" {\n task "t" {\n driver = "process"\n config {\n command = "true"\n }\n }\n }';
  world.run(jobText("web", { head: other, group: needs("db") }));
  world.advance(1_000);
  expect(world.launched.map((id) => id.split(".")[1])).toEqual(["first"]);
});

test("a job of another framework is waited for by what is heard of it", () => {
  const world = new SmallWorld(anAgent("a"));
  world.run(jobText("web", { head: needs("import", "complete") }));
  const tell = (state: JobState): void => {
    world.state.outside.set("import", { state, desired: 1, healthy: 1 });
    world.advance(500);
  };
  tell(JobState.JOB_STATE_RUNNING);
  expect(messageOf(world, "web")).toContain("job import is not complete yet");
  tell(JobState.JOB_STATE_FAILED);
  expect(messageOf(world, "web")).toContain("job import has failed");
  expect(world.launched).toEqual([]);
  expect(waitingFor(world.state, "import")).toEqual(["web"]);
  tell(JobState.JOB_STATE_COMPLETE);
  expect(names(world)).toEqual(["web"]);
});

test.each([
  ["out of reach", TaskState.TASK_UNREACHABLE],
  ["gone", TaskState.TASK_KILLED],
])("of jobs that are stopped the needed one ends when the other is %s, and not before", (_, state) => {
  const world = new SmallWorld(anAgent("a"));
  world.endsKilled = false;
  world.run(jobText("db"));
  world.run(jobText("web", { head: needs("db") }));
  world.advance(1_000, 100, () => world.startAll());
  world.stop("db");
  world.stop("web");
  world.advance(60_000);
  expect(world.killed.map((id) => id.split(".")[0])).toEqual(["web"]);
  expect(messageOf(world, "db")).toContain("it ends after what needs it: web");
  world.tell(world.launched[1] as string, state);
  world.settle();
  expect(world.killed.map((id) => id.split(".")[0])).toEqual(["web", "db"]);
});

test("jobs in a circle are refused by the names along it, whichever of them comes last", () => {
  const job = (name: string, ...needed: string[]) =>
    readJob(
      JSON.stringify({
        ...JSON.parse(definition(name)),
        dependsOn: needed.map((one) => ({ job: one, condition: "healthy" })),
      }),
    );
  const graph: Record<string, string[]> = { b: ["x", "c"], c: ["a"], x: ["y"], y: [] };
  expect(() => refuseCycle(job("a", "b"), (name) => graph[name] ?? [])).toThrow("a needs b, b needs c, c needs a");
  expect(() => refuseCycle(job("z", "b"), (name) => graph[name] ?? [])).not.toThrow();
});

test("what a job needs is known again after a restart of the framework", () => {
  const world = new SmallWorld(anAgent("a"));
  world.run(jobText("web", { head: needs("db") }));
  restartFramework(world, "web");
  expect([...(world.state.neededBy.get("db") ?? [])]).toEqual(["web"]);
  world.run(jobText("web", {}));
  expect(world.state.neededBy.size).toBe(0);
});

function definition(name: string): string {
  const world = new SmallWorld();
  return world.run(jobText(name)).current.record.definition;
}

import { StatusReason, TaskState } from "@muster/framework-sdk";
import { expect, test } from "vitest";
import { anAgent, jobText, restartFramework, SmallWorld } from "./core.test.support.ts";
import { makeLaunchId } from "./ids.ts";

const { TASK_FAILED, TASK_FINISHED, TASK_KILLED, TASK_RUNNING } = TaskState;
const { REASON_COMMAND_EXITED, REASON_KILLED_BY_FRAMEWORK, REASON_TASK_GROUP_ENDED } = StatusReason;

/** Lets the last instance that was launched end, and says after how many seconds the next one is. */
function gapAfter(world: SmallWorld, state: TaskState = TASK_FAILED, exitCode = 1): number {
  const count = world.launched.length;
  const sinceMs = world.now.monotonicMs;
  world.tell(world.launched.at(-1) ?? "", state, { reason: REASON_COMMAND_EXITED, exitCode });
  while (world.launched.length === count) world.advance(1_000, 1_000);
  return (world.now.monotonicMs - sinceMs) / 1_000;
}

/** A job of one instance that has failed so often. */
function failing(times: number, text = jobText("web")): SmallWorld {
  const world = new SmallWorld(anAgent("a"));
  world.run(text);
  world.settle();
  for (let count = 1; count < times; count++) gapAfter(world);
  world.fail(world.launched.at(-1) ?? "");
  return world;
}

test.each([0, 1])(
  "case 27: an instance that exits at once with %i is tried again after 1, 2, 4 ... 256, 300, 300 s",
  (exitCode) => {
    const world = new SmallWorld(anAgent("a"));
    world.run(jobText("web"));
    world.settle();
    const state = exitCode === 0 ? TASK_FINISHED : TASK_FAILED;
    const gaps = Array.from({ length: 11 }, () => {
      world.startAll();
      return gapAfter(world, state, exitCode);
    });
    expect(gaps).toEqual([1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300]);
  },
);

test("after ten good minutes the next try comes after 1 s again", () => {
  const world = failing(6);
  world.advance(32_000, 1_000);
  world.startAll();
  world.advance(600_000, 10_000);
  expect(gapAfter(world)).toBe(1);
});

test("case 28: what crashes on one agent is tried on another next, and delays no other instance", () => {
  const world = new SmallWorld(anAgent("bad"));
  world.run(jobText("web"));
  world.settle();
  for (let count = 0; count < 6; count++) gapAfter(world);
  world.agents.set("good", anAgent("good", 100_000, 100_000));
  world.fail(world.launched.at(-1) ?? "");
  world.run(jobText("web", { count: 3 }), "scale");
  world.settle();
  const where = () => world.live("web").map(({ index, agentId }) => `${index} ${agentId}`);
  expect(where()).toEqual(["1 good", "2 good"]);
  world.advance(64_000, 1_000);
  expect(where()).toEqual(["1 good", "2 good", "0 good"]);
});

test("case 29: a delay with 60 s left has 60 s left after a fail-over", () => {
  const world = failing(7);
  world.advance(4_000, 1_000);
  restartFramework(world, "web");
  world.state.isReconciled = true;
  world.launched.length = 0;
  world.advance(59_000, 1_000);
  expect(world.launched).toHaveLength(0);
  world.advance(1_000, 1_000);
  expect(world.launched).toHaveLength(1);
});

test("case 29: a change of the job ends the delay", () => {
  const world = failing(7);
  world.advance(4_000, 1_000);
  const count = world.launched.length;
  world.run(jobText("web", { task: 'user = "nobody"' }));
  world.settle();
  expect(world.launched).toHaveLength(count + 1);
});

test("case 29: what a user kills leaves the delay as it was", () => {
  const world = failing(7);
  world.advance(64_000, 1_000);
  world.startAll();
  world.tell(world.launched.at(-1) ?? "", TASK_KILLED, { reason: REASON_KILLED_BY_FRAMEWORK });
  world.settle();
  world.startAll();
  expect(gapAfter(world)).toBe(128);
});

const pod = `task "side" {
      driver = "process"
      config {
        command = "sleep"
        args = ["1000"]
      }
    }`;

test("case 45: when one task of an instance fails the instance is replaced whole, once all of it has ended, with back-off", () => {
  const world = new SmallWorld(anAgent("a"));
  world.run(jobText("web", { group: pod }));
  world.settle();
  const gaps: number[] = [];
  for (let round = 0; round < 4; round++) {
    world.startAll();
    const [main = "", side = ""] = world.launched.slice(-2);
    const count = world.launched.length;
    world.endsKilled = false;
    world.fail(main);
    world.advance(5_000, 1_000);
    expect(world.launched).toHaveLength(count);
    world.endsKilled = true;
    world.tell(side, TASK_KILLED, { reason: REASON_TASK_GROUP_ENDED });
    const sinceMs = world.now.monotonicMs;
    while (world.launched.length === count) world.advance(1_000, 1_000);
    gaps.push((world.now.monotonicMs - sinceMs) / 1_000);
    expect(world.launched).toHaveLength(count + 2);
  }
  expect(gaps).toEqual([1, 2, 4, 8]);
});

test("when one task of an instance finishes the others are ended, and the instance is replaced", () => {
  const world = new SmallWorld(anAgent("a"));
  world.run(jobText("web", { group: pod }));
  world.settle();
  world.startAll();
  const [main = "", side = ""] = world.launched;
  world.tell(main, TASK_FINISHED, { reason: REASON_COMMAND_EXITED, exitCode: 0 });
  world.settle();
  expect(world.killed).toEqual([side]);
  world.advance(1_000, 1_000);
  expect(world.launched).toHaveLength(4);
});

test("an instance that lost a task while nobody looked is replaced", () => {
  const world = new SmallWorld(anAgent("a"));
  world.run(jobText("web", { group: pod }));
  world.settle();
  world.startAll();
  const [main = ""] = world.launched;
  restartFramework(world, "web");
  world.tell(main, TASK_RUNNING, { agentId: "a", launchId: makeLaunchId(1, "1-1") });
  world.settle();
  expect(world.killed).toEqual([]);
  world.state.isReconciled = true;
  world.advance(1_000);
  expect(world.killed).toEqual([main]);
  expect(world.launched).toHaveLength(4);
});

/** Fails whenever it has run for so long, for an hour. How often it was launched, and whether it was given up. */
function failingEvery(everyMs: number): { launches: number; givenUp: string | undefined } {
  const world = new SmallWorld(anAgent("a"), anAgent("b"), anAgent("c"));
  const group = `restart {
      attempts = 0
    }
    reschedule {
      attempts = 2
      interval = "10m"
      delay = "5s"
      delay_function = "constant"
    }`;
  world.run(jobText("web", { group }));
  let startedAtMs = 0;
  let seen = 0;
  world.advance(3_600_000, 5_000, () => {
    world.startAll();
    if (world.launched.length > seen) {
      seen = world.launched.length;
      startedAtMs = world.now.monotonicMs;
    } else if (world.live("web").length > 0 && world.now.monotonicMs - startedAtMs >= everyMs)
      world.fail(world.launched.at(-1) as string);
  });
  return { launches: world.launched.length, givenUp: world.entry("web").restarts.get("g/0")?.givenUp };
}

test("reschedules count within their interval: what fails faster is given up, what fails slower never is", () => {
  expect(failingEvery(60_000)).toMatchObject({ launches: 3, givenUp: expect.stringContaining("given up") });
  const slow = failingEvery(6 * 60_000);
  expect(slow.givenUp).toBeUndefined();
  expect(slow.launches).toBeGreaterThan(8);
});

import { seededRandom, TaskState } from "@muster/framework-sdk";
import fc from "fast-check";
import { expect, test } from "vitest";
import { anAgent, jobText, restartFramework, SmallWorld } from "./core.test.support.ts";
import { idPrefix, makeLaunchId, makeTaskId, readTaskId, versionOfLaunch } from "./ids.ts";
import { emptyState } from "./model.ts";
import { jobsPrefix, loadRecords } from "./records.ts";
import { versionsMax } from "./versions.ts";

test("tasks of an earlier process are taken over as they are, whatever version they run", () => {
  const world = new SmallWorld(anAgent("a"));
  world.run(jobText("web", { count: 2 }));
  world.settle();
  world.startAll();
  world.run(jobText("web", { count: 3 }), "scale");
  world.settle();
  restartFramework(world, "web");
  for (const [id, version] of [
    ["web.g.0.1-1", 1],
    ["web.g.1.1-2", 1],
    ["web.g.2.1-3", 2],
  ] as const)
    world.tell(id, TaskState.TASK_RUNNING, { agentId: "a", launchId: makeLaunchId(version, id.split(".")[3] ?? "") });
  world.state.isReconciled = true;
  world.launched.length = 0;
  world.advance(20_000);
  expect(world.live("web").map(({ version }) => version)).toEqual([1, 1, 2]);
  expect([world.launched, world.killed]).toEqual([[], []]);
});

test("case 49: fifty thousand running instances are taken over after a fail-over, and none is killed or launched", () => {
  const world = new SmallWorld(anAgent("a", 1e9, 1e9));
  const names = ["one", "two", "three", "four", "five"];
  world.state.epoch = 2;
  world.state.isReconciled = false;
  for (const name of names) {
    world.run(jobText(name, { count: 10_000 }));
    world.entry(name).isNew = false;
    for (let index = 0; index < 10_000; index++) {
      const id = `1-${index.toString(36)}`;
      const where = { agentId: "a", launchId: makeLaunchId(1, id) };
      world.tell(`${name}.g.${index}.${id}`, TaskState.TASK_RUNNING, where);
    }
  }
  world.settle();
  world.state.isReconciled = true;
  world.advance(3_000, 1_000);
  expect([world.launched, world.killed]).toEqual([[], []]);
  expect(names.map((name) => world.live(name).length)).toEqual(Array(5).fill(10_000));
}, 120_000);

test("scaling many times before all tasks are known makes none of them look out of date", () => {
  const world = new SmallWorld(anAgent("a"));
  world.run(jobText("web", { count: 2 }));
  world.settle();
  world.startAll();
  restartFramework(world, "web");
  world.state.isReconciled = false;
  for (let count = 3; count < 3 + 3 * versionsMax; count++) world.run(jobText("web", { count }), "scale");
  world.run(jobText("web", { count: 2 }), "scale");
  for (const id of ["web.g.0.1-1", "web.g.1.1-2"])
    world.tell(id, TaskState.TASK_RUNNING, { agentId: "a", launchId: makeLaunchId(1, id.split(".")[3] ?? "") });
  world.state.isReconciled = true;
  world.launched.length = 0;
  world.advance(20_000);
  expect([world.launched, world.killed]).toEqual([[], []]);
  world.run(jobText("web", { count: 3 }), "scale");
  expect(world.entry("web").history.length).toBeLessThanOrEqual(versionsMax + 1);
});

test("nothing is launched for a job of an earlier process before all its tasks are known", () => {
  const world = new SmallWorld(anAgent("a"));
  world.run(jobText("web", { count: 2 }));
  world.settle();
  restartFramework(world, "web");
  world.launched.length = 0;
  world.advance(60_000, 1_000);
  expect(world.launched).toEqual([]);
  world.run(jobText("new"));
  world.settle();
  expect(world.launched).toEqual(["new.g.0.2-1"]);
  world.state.isReconciled = true;
  world.settle();
  expect(world.launched).toEqual(["new.g.0.2-1", "web.g.0.2-2", "web.g.1.2-3"]);
});

test("a clock that is set back makes no wait longer than it was to be", () => {
  const world = new SmallWorld(anAgent("a"));
  world.run(jobText("web"));
  world.settle();
  world.fail(world.launched.at(-1) ?? "");
  world.now = { ...world.now, epochMs: world.now.epochMs - 3_600_000 };
  world.settle();
  expect(world.launched).toHaveLength(1);
  world.advance(1_100);
  expect(world.launched).toHaveLength(2);
});

test("a task of an unknown job is remembered to be ended", () => {
  const world = new SmallWorld(anAgent("a"));
  world.tell("gone.g.0.1-1", TaskState.TASK_RUNNING, { agentId: "a" });
  expect([...world.state.orphans.keys()]).toEqual(["gone.g.0.1-1"]);
  world.tell("gone.g.0.1-1", TaskState.TASK_KILLED);
  expect(world.state.orphans.size).toBe(0);
});

test("a record that can't be read is told of, not dropped", () => {
  const faults = loadRecords(
    emptyState(seededRandom("secrets")),
    [[{ key: `${jobsPrefix}x`, value: Buffer.from("{"), version: 1 }]],
    {
      monotonicMs: 0,
      epochMs: 0,
    },
  );
  expect(faults.map(({ key }) => key)).toEqual(["jobs/x"]);
});

const names = fc.oneof(
  fc.stringMatching(/^[A-Za-z0-9._-]{1,40}$/),
  fc.string({ minLength: 1, maxLength: 40 }),
  fc.constantFrom("a.b", "a", "<img onerror=x>", "日本", "a/b"),
);
const small = fc.nat(1e6);

test("a task id is within the wire's form and says again what it was made of", () => {
  fc.assert(
    fc.property(
      names,
      names,
      small,
      small,
      fc.option(fc.nat(63), { nil: undefined }),
      (job, group, index, n, ordinal) => {
        const id = makeTaskId(idPrefix(job, group), index, `${n.toString(36)}-${index.toString(36)}`, ordinal);
        expect(id).toMatch(/^[A-Za-z0-9._-]{1,255}$/);
        expect(readTaskId(id)).toEqual({
          prefix: idPrefix(job, group),
          index,
          instanceId: `${n.toString(36)}-${index.toString(36)}`,
          ordinal: ordinal ?? 0,
        });
      },
    ),
  );
});

test("no two groups of any jobs share a prefix", () => {
  fc.assert(
    fc.property(names, names, names, names, (jobA, groupA, jobB, groupB) => {
      fc.pre(jobA !== jobB || groupA !== groupB);
      expect(idPrefix(jobA, groupA)).not.toBe(idPrefix(jobB, groupB));
    }),
  );
  expect(idPrefix("a.b", "c")).not.toBe(idPrefix("a", "b.c"));
});

test("a launch id says its version", () => {
  fc.assert(fc.property(small, (version) => versionOfLaunch(makeLaunchId(version, "1-1")) === version));
  expect(versionOfLaunch("launch-x")).toBeUndefined();
});

import { expect, test } from "vitest";
import { World, WorldError } from "./world.ts";

test("events run by time, and of one instant in the order in which they were asked for", () => {
  const world = new World(1);
  const seen: string[] = [];
  for (const [delayMs, name] of [
    [5, "c"],
    [1, "a"],
    [5, "d"],
    [2, "b"],
    [0, "now"],
  ] as const) {
    world.after(undefined, delayMs, "test", () => seen.push(name));
  }
  world.run({ untilMs: 5 });
  expect(seen).toEqual(["now", "a", "b", "c", "d"]);
});

test("ten thousand random delays come out sorted", () => {
  const world = new World("heap");
  const random = world.random("delays");
  const seen: number[] = [];
  for (let i = 0; i < 10_000; i++)
    world.after(undefined, Math.floor(random.next() * 500), "test", () => seen.push(world.nowMs));
  world.run({ untilMs: 1_000 });
  expect(seen).toEqual(seen.toSorted((a, b) => a - b));
  expect(seen).toHaveLength(10_000);
});

test("a life that has ended misses what was meant for it, its next life does not inherit it", () => {
  const world = new World(1);
  const life = world.begin("master");
  const clock = world.clockOf(life);
  let woken = 0;
  clock.after(10, () => woken++);
  world.after(undefined, 5, "test", () => world.end(life, "killed"));
  world.run({ untilMs: 20 });
  expect(woken).toBe(0);
  expect(world.begin("master").number).toBe(2);
});

test("a paused life does everything late and in order", () => {
  const world = new World(1);
  const life = world.begin("agent-0");
  const clock = world.clockOf(life);
  const seen: string[] = [];
  clock.after(1, () => seen.push(`first at ${clock.monotonicMs()}`));
  clock.after(2, () => seen.push(`second at ${clock.monotonicMs()}`));
  world.pause(life, 100);
  world.run({ untilMs: 200 });
  expect(seen).toEqual(["first at 100", "second at 100"]);
});

test("the wall clock of a host can be off, its monotonic one can not", () => {
  const world = new World(1);
  const here = world.clockOf(world.begin("a"));
  const there = world.clockOf(world.begin("b"));
  world.skew("b", -3_600_000);
  expect(here.epochMs() - there.epochMs()).toBe(3_600_000);
  expect(here.monotonicMs()).toBe(there.monotonicMs());
});

test("time and chance from outside throw while a world steps, and work again afterwards", () => {
  const forbidden: (() => unknown)[] = [
    () => Date.now(),
    () => new Date(),
    () => Math.random(),
    () => performance.now(),
    () => setTimeout(() => {}, 1),
    () => setImmediate(() => {}),
    () => queueMicrotask(() => {}),
    () => crypto.randomUUID(),
  ];
  for (const use of forbidden) {
    const world = new World(1);
    world.after(world.begin("x"), 1, "test", use);
    expect(() => world.run({ untilMs: 2 })).toThrow(WorldError);
  }
  expect(Date.now()).toBeGreaterThan(worldOfLongAgo);
  expect(Math.random()).toBeLessThan(1);
});

test("a date made from a number is fine", () => {
  const world = new World(1);
  let year = 0;
  world.after(undefined, 1, "test", () => {
    year = new Date(world.epochMs).getUTCFullYear();
  });
  world.run({ untilMs: 2 });
  expect(year).toBe(2026);
});

test("a promise begun inside a world is an error, for it would end outside of it", () => {
  const world = new World(1);
  world.after(undefined, 1, "test", () => void (async () => {})());
  expect(() => world.run({ untilMs: 2 })).toThrow(/asynchronous work/);
});

test("one seed twice gives one trace, another seed another", () => {
  const run = (seed: number): string => {
    const world = new World(seed);
    const random = world.random("x");
    const again = (): void => void world.after(undefined, random.next() * 10, "test", again);
    again();
    world.run({ untilMs: 1_000 });
    return world.trace.digest();
  };
  expect(run(7)).toBe(run(7));
  expect(run(7)).not.toBe(run(8));
});

test("somebody who wakes himself for ever at one instant is found out", () => {
  const world = new World(1);
  const spin = (): void => void world.after(undefined, 0, "spin", spin);
  spin();
  expect(() => world.run({ untilMs: 1 })).toThrow(/at one instant/);
});

const worldOfLongAgo = 1_700_000_000_000;

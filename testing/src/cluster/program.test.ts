import { expect, test } from "vitest";
import { World } from "../world/world.ts";
import { Program } from "./program.ts";

test("a program that dies is started again, later and later, until it has lived for a while", () => {
  const world = new World(1);
  const startsMs: number[] = [];
  const program = new Program(world, { name: "x", component: "x", start: () => void startsMs.push(world.nowMs) });
  program.start();
  for (const untilMs of [1, 500, 1_500]) {
    world.run({ untilMs });
    program.crash();
  }
  world.run({ untilMs: 20_000 });
  program.crash();
  world.run({ untilMs: 30_000 });
  expect(startsMs).toEqual([0, 401, 1_300, 3_100, 20_200]);
});

test("a removed program stays away", () => {
  const world = new World(1);
  const program = new Program(world, { name: "x", component: "x", start: () => {} });
  program.start();
  world.run({ untilMs: 1 });
  program.remove();
  expect(program.crash()).toBe(false);
  world.run({ untilMs: 60_000 });
  expect(program.life).toBeUndefined();
});

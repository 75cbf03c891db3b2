import { expect, test } from "vitest";
import { World } from "../world/world.ts";
import { Hits } from "./hits.ts";
import { type Affliction, Nemesis } from "./nemesis.ts";

const faults = ["crash", "cut", "slow", "skew", "full"];

function run(seed: number, untilMs: number): { hits: Hits; nemesis: Nemesis; open: () => number } {
  const world = new World(seed);
  const hits = new Hits();
  let open = 0;
  const afflictions: Affliction[] = faults.map((fault) => ({
    fault,
    component: "master",
    inflict: () => {
      open++;
      return () => void open--;
    },
  }));
  const nemesis = new Nemesis(world, afflictions, hits);
  nemesis.start();
  world.run({ untilMs });
  return { hits, nemesis, open: () => open };
}

test("a run has some kinds of faults and not others, and each seed its own", () => {
  const mixtures = new Set(Array.from({ length: 40 }, (_, seed) => run(seed, 0).nemesis.kinds.join()));
  expect(mixtures.size).toBeGreaterThan(10);
});

test("healing undoes everything that lasts, once, and nothing begins afterwards", () => {
  for (let seed = 0; seed < 20; seed++) {
    const { nemesis, open } = run(seed, 120_000);
    nemesis.heal();
    expect(open()).toBe(0);
  }
});

test("a pair that was never hit is named", () => {
  const hits = new Hits();
  hits.add("crash", "master", 3);
  expect(
    hits.missing([
      ["crash", "master"],
      ["crash", "agent"],
    ]),
  ).toEqual(["crash x agent"]);
  expect(hits.table()).toContain("crash  3");
});

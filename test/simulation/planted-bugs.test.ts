import { expect, test } from "vitest";
import { patchedModules } from "./patched-modules.ts";
import { plantedBugs } from "./planted-bugs.ts";
import { seedCount } from "./seeds.ts";

test.each(plantedBugs)("$name is found within the seeds of CI", async ({ name, patches, rules }) => {
  const modules = await patchedModules(patches);
  try {
    const { runSeed } = await modules.load<typeof import("./run-seed.ts")>("test/simulation/run-seed.ts");
    for (let seed = 1; seed <= seedCount; seed++) {
      const { violations } = runSeed(seed, { stopsEarly: true });
      const found = violations.find(({ rule }) => rules.includes(rule));
      if (found === undefined) continue;
      console.log(`planted: ${name}: found by seed ${seed}: ${found.rule} ${found.subject}: ${found.detail}`);
      return;
    }
  } finally {
    await modules.close();
  }
  expect.unreachable(`${name} was found by none of ${seedCount} seeds`);
});

import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { compiled } from "./compiled.ts";
import { plantedBugs } from "./planted-bugs.ts";
import type { Campaign } from "./shared-campaign.ts";

test.each(plantedBugs)("$name is found by seed $seed of the $workload workload", async (bug) => {
  const { name, patches, rules, workload, seed } = bug;
  const { violationsOf } = await compiled<Campaign>("test/simulation/campaign.ts", patches);
  const violations = violationsOf(workload, seed);
  const found = violations.find(({ rule }) => rules.includes(rule));
  if (found === undefined) expect.unreachable(`${name} was not found: ${JSON.stringify(violations)}`);
  console.log(`${name}: ${found.rule} ${found.subject}: ${found.detail}`);
});

test("people are told which bug is found by which rules, and by which seed", () => {
  const page = readFileSync(new URL("../../docs/simulation.md", import.meta.url), "utf8");
  const rows = plantedBugs.map(({ name, rules, workload, seed }) => {
    const found = rules.map((rule) => `\`${rule}\``).join(", ");
    return `| ${name} | ${found} | ${workload} ${seed} |`;
  });
  expect(page).toContain(["| bug | rules | first seed |", "| --- | --- | --- |", ...rows].join("\n"));
});

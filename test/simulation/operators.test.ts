import { Hits } from "@muster/testing";
import { expect, test } from "vitest";
import { describe } from "./report.ts";
import { runSeed } from "./run-seed.ts";

const seeds = [3, 4];

test("whatever operators deactivate and drain while everything else goes wrong, invariants hold and all comes right", () => {
  const hits = new Hits();
  for (const seed of seeds) {
    const report = runSeed(seed, { operators: true });
    expect(report.violations.length, `\n${describe(report)}`).toBe(0);
    hits.merge(report.hits);
  }
  expect(
    hits.missing([
      ["deactivate", "agent"],
      ["drain", "agent"],
    ]),
  ).toEqual([]);
}, 900_000);

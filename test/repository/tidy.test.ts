import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";

const root = join(import.meta.dirname, "..", "..");
const files = execFileSync("git", ["ls-files", "-z"], { cwd: root, encoding: "utf8" })
  .split("\0")
  .filter((name) => /\.(ts|tsx|mjs|js|pl|proto)$/.test(name));
const read = (name: string): string => readFileSync(join(root, name), "utf8");
const linesMax = 600;

test("no source file is longer than a sitting", () => {
  const long = files.filter((name) => !name.includes(".test.") && read(name).split("\n").length > linesMax);
  expect(long).toEqual([]);
});

test("nothing unfinished is left in the sources", () => {
  const words = new RegExp(
    ["TO" + "DO", "FIX" + "ME", "X" + "XX", "HA" + "CK"].map((word) => `\\b${word}\\b`).join("|"),
  );
  expect(files.filter((name) => words.test(read(name)))).toEqual([]);
});

test("no test is skipped without a condition, and none runs alone", () => {
  const tests = files.filter((name) => name.includes(".test."));
  const alone = tests.filter((name) => /\b(test|it|describe)\.(only|todo|fails|skip)\(/.test(read(name)));
  expect(alone.filter((name) => name !== "test/repository/tidy.test.ts")).toEqual([]);
});

test("each test with a cluster has ports of its own, since two lanes of them run at once", () => {
  const clusters = files.flatMap((name) =>
    [...read(name).matchAll(/new DevCluster\(([\d_]+)\)/g)].map(([, offset]) => offset),
  );
  expect(clusters.length).toBeGreaterThan(8);
  expect([...new Set(clusters)]).toEqual(clusters);
});

test("no folder is a place for leftovers", () => {
  const vague = /(^|\/)(utils?|helpers?|common|misc|lib)(\/|\.ts$)/;
  expect(files.filter((name) => vague.test(name))).toEqual([]);
});

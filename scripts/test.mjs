// All checks, cheap ones first: layout and lint, the contract, then every test. The last line is `N passed, N failed, N skipped`.
import { spawn, spawnSync } from "node:child_process";
import { rmSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const bin = (name) => join(root, "node_modules", ".bin", name);
const reports = join(root, "node_modules", ".vitest-reports");
const checks = [
  ["code style, purity and layering", bin("biome"), ["ci", "--colors=off", "."]],
  ["the wire contract's rules", bin("buf"), ["lint"]],
  ["the wire contract's layout", bin("buf"), ["format", "--diff", "--exit-code"]],
  ["types of the tests", bin("tsc"), ["-p", "test"]],
];
/** What is taken from one lane to the other, so that both take as long: a part of the seeds, and tests of several masters. */
const [seeds, masters] = ["seeds-2.test.ts", ["reliability-masters.test.ts", "reliability-restore.test.ts"]];
const without = (...files) => files.map((file) => `--exclude=**/${file}`);
/**
 * Runs of vitest, by what they are given: stages one after another, each of them lanes that go on side by side. The
 * simulator needs a processor and nothing else of the machine, tests of real processes mostly wait, and those of the
 * kernel's objects come when there are few others left: beside many real clusters what they measure is the clusters.
 */
const stages = [
  [[["--project=unit", "--project=conformance"]]],
  [
    [["--project=simulation", ...without(seeds)], ["--project=e2e-root"], ["--project=e2e", ...masters]],
    [
      ["--project=e2e", "--project=chaos", ...without(...masters)],
      ["--project=simulation", seeds],
    ],
  ],
];

for (const [what, command, args] of checks)
  if (spawnSync(command, args, { cwd: root, stdio: "inherit" }).status !== 0) {
    process.stdout.write(`\nfailed: ${what}\n0 passed, 1 failed\n`);
    process.exit(1);
  }
process.exit(process.argv.length > 2 ? await vitest(["run", ...process.argv.slice(2)]) : await everything());

async function everything() {
  rmSync(reports, { recursive: true, force: true });
  let failed = 0;
  let runCount = 0;
  for (const lanes of stages)
    await Promise.all(
      lanes.map(async (runs) => {
        for (const run of runs) {
          const report = join(reports, `${++runCount}.json`);
          // A processor each.
          const workers = lanes.length > 1 ? ["--maxWorkers=1"] : [];
          const status = await vitest([
            ...["run", ...run, ...workers],
            ...["--reporter=default", "--reporter=blob", `--outputFile.blob=${report}`],
          ]);
          failed ||= status;
        }
      }),
    );
  return (await vitest([`--mergeReports=${reports}`, "--reporter=./test/reporters/closing-line.ts"])) || failed;
}

function vitest(args) {
  return new Promise((done) => {
    const child = spawn(bin("vitest"), args, { cwd: root, stdio: "inherit" });
    child.once("exit", (status) => done(status ?? 1));
  });
}

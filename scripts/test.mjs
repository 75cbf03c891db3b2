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
/** Units with real processes, which mostly wait for them. */
const waiting = ["executors/src", "master/src/store/etcd", "cli/src/connect"];
/** Real clusters that need no objects of the kernel but sockets: they may run beside tests that do. */
const movable = ["dashboard", "author", "reliability-cuts", "reliability-masters", "reliability-restore"];
/**
 * Two lanes side by side, a processor for each, and of each the runs of vitest one after another. What computes is beside
 * what waits, so that neither processor is idle: the simulator needs one and nothing else of the machine. Tests of the
 * kernel's objects are in one lane with those of many clusters, since beside these they would measure them.
 */
const lanes = [
  [
    ["--project=unit", ...waiting.map((folder) => `--exclude=${folder}/**`)],
    ["--project=simulation"],
    ["--project=e2e", ...movable.map((name) => `e2e/${name}.test.ts`)],
  ],
  [
    ["--project=unit", ...waiting.map((folder) => `${folder}/`)],
    ["--project=conformance"],
    ["--project=e2e-root"],
    ["--project=e2e", "--project=chaos", ...movable.map((name) => `--exclude=test/e2e/${name}.test.ts`)],
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
  await Promise.all(
    lanes.map(async (runs) => {
      for (const run of runs) {
        const report = join(reports, `${++runCount}.json`);
        const status = await vitest([
          ...["run", ...run, "--maxWorkers=1"],
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

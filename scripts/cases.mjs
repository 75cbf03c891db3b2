// Runs the numbered acceptance cases of one subject: `npm run --silent cases -- NAME [--json]`.
// A test belongs to a case by its name, `case N: …`, and to a subject by the folder that it stands in.
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const subjects = {
  mesos: { first: 1, last: 77, where: ["test/conformance/", "master/"] },
  "executors-networking": {
    first: 1,
    last: 84,
    where: ["executors/", "test/e2e/executors-networking", "test/e2e-root/"],
  },
  discovery: { first: 1, last: 67, where: ["discovery/", "test/e2e/discovery"] },
  services: { first: 1, last: 49, where: ["frameworks/services/", "framework-sdk/", "test/e2e/services"] },
  cron: { first: 50, last: 90, where: ["frameworks/cron/", "test/e2e/cron"] },
  reliability: {
    first: 1,
    last: 76,
    where: ["test/simulation/", "test/chaos/", "testing/", "test/e2e/reliability", "test/reliability/"],
  },
  ux: { first: 1, last: 65, where: ["cli/", "jobspecs/", "dashboard/", "test/e2e/dev-", "test/e2e/dashboard"] },
};

const args = process.argv.slice(2);
const json = args.includes("--json");
const name = args.find((arg) => !arg.startsWith("-"));
const subject = subjects[name];
if (!subject) {
  process.stderr.write(`which cases? one of: ${Object.keys(subjects).join(", ")}\n  npm run cases -- mesos --json\n`);
  process.exit(64);
}

const folder = mkdtempSync(join(tmpdir(), "muster-cases-"));
const report = join(folder, "report.json");
try {
  const vitest = join(root, "node_modules", ".bin", "vitest");
  const run = [
    "run",
    "--testNamePattern",
    "case \\d+:",
    "--passWithNoTests",
    "--reporter=json",
    `--outputFile=${report}`,
  ];
  const { stderr } = spawnSync(vitest, [...run, ...subject.where], { cwd: root, encoding: "utf8" });
  const outcome = summarize(JSON.parse(readFileSync(report, "utf8")));
  if (json) process.stdout.write(`${JSON.stringify(outcome)}\n`);
  else print(outcome, stderr);
  process.exitCode = outcome.failed === 0 ? 0 : 1;
} finally {
  rmSync(folder, { recursive: true, force: true });
}

function summarize(results) {
  const cases = new Map();
  for (const file of results.testResults)
    for (const test of file.assertionResults) {
      const found = /^case (\d+):/.exec(test.title);
      if (!found) continue;
      const number = Number(found[1]);
      if (number < subject.first || number > subject.last) continue;
      const tests = cases.get(number) ?? [];
      tests.push({ status: test.status, reason: test.meta?.skipped ?? /\(skipped: (.*)\)$/.exec(test.title)?.[1] });
      cases.set(number, tests);
    }
  const outcome = { name, total: subject.last - subject.first + 1, passed: 0, failed: 0, skipped: [], notPassed: [] };
  for (let number = subject.first; number <= subject.last; number++) {
    const tests = cases.get(number) ?? [];
    const ran = tests.filter((test) => test.status === "passed" || test.status === "failed");
    if (ran.length > 0 && ran.every((test) => test.status === "passed")) outcome.passed++;
    else if (ran.length === 0 && tests.length > 0)
      outcome.skipped.push({ case: number, reason: tests[0].reason ?? "this machine lacks what it needs" });
    else {
      outcome.failed++;
      outcome.notPassed.push({ case: number, reason: tests.length === 0 ? "not written" : "failed" });
    }
  }
  return outcome;
}

function print({ total, passed, failed, skipped, notPassed }, stderr) {
  for (const { case: number, reason } of notPassed.filter((one) => one.reason === "failed"))
    process.stdout.write(`case ${number}: ${reason}\n`);
  for (const { case: number, reason } of skipped) process.stdout.write(`case ${number}: skipped, ${reason}\n`);
  const missing = notPassed.filter((one) => one.reason === "not written").map((one) => one.case);
  if (missing.length > 0) process.stdout.write(`not written: ${missing.join(" ")}\n`);
  process.stdout.write(`${name}: ${passed} of ${total} hold, ${failed} do not, ${skipped.length} skipped\n`);
  if (passed === 0 && stderr) process.stderr.write(stderr);
}

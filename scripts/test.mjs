// All checks, cheap ones first: layout and lint, the contract, then every test. The last line is `N passed, N failed, N skipped`.
import { spawnSync } from "node:child_process";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const bin = (name) => join(root, "node_modules", ".bin", name);
const steps = [
  ["code style, purity and layering", bin("biome"), ["ci", "--colors=off", "."]],
  ["the wire contract's rules", bin("buf"), ["lint"]],
  ["the wire contract's layout", bin("buf"), ["format", "--diff", "--exit-code"]],
  ["types of the tests", bin("tsc"), ["-p", "test"]],
  ["tests", bin("vitest"), ["run", ...process.argv.slice(2)]],
];
for (const [what, command, args] of steps) {
  const { status, signal } = spawnSync(command, args, { cwd: root, stdio: "inherit" });
  if (status !== 0) {
    process.stderr.write(`\nfailed: ${what}${signal ? ` (${signal})` : ""}\n`);
    if (what !== "tests") process.stdout.write("0 passed, 1 failed\n");
    process.exit(1);
  }
}

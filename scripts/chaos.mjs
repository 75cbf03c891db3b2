// Kills components of a real cluster under load: `npm run chaos` kills a hundred. MUSTER_CHAOS_KILLS says how many,
// MUSTER_CHAOS_SEED repeats the choices of an earlier run.
import { spawnSync } from "node:child_process";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const environment = { ...process.env, MUSTER_CHAOS_KILLS: process.env.MUSTER_CHAOS_KILLS ?? "100" };
const { status } = spawnSync(
  join(root, "node_modules", ".bin", "vitest"),
  ["run", "--project", "chaos", ...process.argv.slice(2)],
  { cwd: root, env: environment, stdio: "inherit" },
);
process.exitCode = status ?? 1;

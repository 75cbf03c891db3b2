// A real `muster dev` for benchmarks: started in a folder and on ports of its own, and gone without a trace afterwards.
import { spawn } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

export const root = dirname(dirname(fileURLToPath(import.meta.url)));
const program = join(root, "cli", "bin", "muster.js");
const startTimeoutMs = 60_000;
const stopTimeoutMs = 20_000;

export const pause = (ms) => new Promise((done) => setTimeout(done, ms));

/** Middle of a list of numbers. */
export const median = (values) => quantile(values, 0.5);

/** The smallest of the values that so large a part of them does not exceed. */
export function quantile(values, part) {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.max(0, Math.ceil(sorted.length * part) - 1)];
}

/** Makes a folder for a cluster; `remove` takes it away again. */
export function clusterFolder() {
  const folder = mkdtempSync(join(tmpdir(), "muster-bench-dev-"));
  return { folder, remove: () => rmSync(folder, { recursive: true, force: true, maxRetries: 5 }) };
}

/** Starts a cluster without jobs; gives what its ready file says, how long that took, and how to end it. */
export async function startCluster(folder, portOffset, ...args) {
  const readyFile = join(folder, "ready.json");
  const data = join(folder, "data");
  const fixed = ["dev", "--no-example", "--data-dir", data, "--ready-file", readyFile];
  const beganMs = performance.now();
  const child = spawn(process.execPath, [program, ...fixed, "--port-offset", String(portOffset), ...args], {
    stdio: ["ignore", "ignore", "pipe"],
  });
  let words = "";
  child.stderr.on("data", (bytes) => {
    words = (words + bytes).slice(-4_000);
  });
  const stop = () => endAll(child, data);
  while (!existsSync(readyFile)) {
    const isLate = performance.now() - beganMs > startTimeoutMs;
    if (child.exitCode !== null || isLate) {
      await stop();
      throw new Error(`muster dev did not start: ${words}`);
    }
    await pause(10);
  }
  const startMs = performance.now() - beganMs;
  return { ready: JSON.parse(readFileSync(readyFile, "utf8")), data, startMs, stop };
}

/** Ends a process in good order, and with force whatever of its cluster is there after a while. */
export async function endAll(child, data) {
  const deadlineMs = performance.now() + stopTimeoutMs;
  child.kill("SIGTERM");
  const isOver = () => child.exitCode !== null || child.signalCode !== null;
  while (!(isOver() && processesOf(data).length === 0) && performance.now() < deadlineMs) await pause(50);
  for (const pid of processesOf(data)) process.kill(pid, "SIGKILL");
}

/** Processes, other than this one, that have a folder in their environment or command line. */
export function processesOf(folder) {
  return readdirSync("/proc")
    .map(Number)
    .filter((pid) => {
      if (!Number.isInteger(pid) || pid === process.pid) return false;
      try {
        return ["cmdline", "environ"].some((name) => readFileSync(`/proc/${pid}/${name}`, "latin1").includes(folder));
      } catch {
        return false;
      }
    });
}

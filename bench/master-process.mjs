// A master as a process of its own for benchmarks, and what it costs.
import { fork, spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { root } from "./dev-cluster.mjs";
import { ask, cpuSeconds, freePort, memoryMostMiB, reachable } from "./processes.mjs";

/** As docs/benchmarks.md tells operators of large clusters: young objects die before they are copied. */
const masterFlags = ["--max-semi-space-size=64", ...(process.env.MUSTER_BENCH_MASTER_FLAGS?.split(" ") ?? [])];

/** Runs what is to be measured with a place for masters and their peers, and ends all of them afterwards. */
export async function withProcesses(use) {
  const folder = mkdtempSync(join(tmpdir(), "muster-bench-"));
  const children = [];
  try {
    const port = await freePort();
    const address = `127.0.0.1:${port}`;
    return await use({
      address,
      /** A master on that address, with what an earlier one has stored. */
      startMaster: async () => {
        const muster = join(root, "cli", "bin", "muster.js");
        const child = spawn(
          process.execPath,
          [...masterFlags, muster, "daemon", "master", "--listen", address, "--data-dir", folder],
          { stdio: ["pipe", "ignore", "inherit"], env: { ...process.env, MUSTER_LOG_LEVEL: "error" } },
        );
        children.push(child);
        await reachable(port);
        return masterOf(child);
      },
      /** A program of this folder's, which answers messages. */
      start: (file, ...args) => {
        const child = fork(join(dirname(fileURLToPath(import.meta.url)), file), args.map(String));
        children.push(child);
        return { ask: (what) => ask(child, what) };
      },
    });
  } finally {
    for (const child of children) child.kill("SIGKILL");
    rmSync(folder, { recursive: true, force: true });
  }
}

function masterOf(child) {
  return {
    cpuSeconds: () => cpuSeconds(child.pid),
    memoryMiB: () => memoryMostMiB(child.pid),
    kill: () =>
      new Promise((done) => {
        child.once("exit", done);
        child.kill("SIGKILL");
      }),
  };
}

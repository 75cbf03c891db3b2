// How long an agent with many tasks is away when it is killed and started again: from the start of the new process to its
// last task's status at the master. The daemon is the real one, with its fingerprint.
import { spawn } from "node:child_process";
import { join } from "node:path";
import { pause, root } from "../dev-cluster.mjs";
import { startMaster } from "./master.mjs";

const inFlightMax = 16;

/** Milliseconds from the start to the registration with all tasks running. */
export async function restartTime(dataFolder, taskCount) {
  const master = await startMaster();
  let agent = start(dataFolder, master.address);
  try {
    while (!master.isRegistered()) await pause(10);
    for (let launched = 0; master.runningCount() < taskCount; ) {
      while (launched < taskCount && launched - master.runningCount() < inFlightMax)
        master.launch(`task-${launched++}`, { driver: "process" });
      await master.changed();
    }
    await ended(agent, "SIGKILL");
    const began = performance.now();
    agent = start(dataFolder, master.address);
    while (!master.isRegistered() || master.reportCount() < taskCount) await pause(5);
    return performance.now() - began;
  } finally {
    await ended(agent, "SIGTERM");
    await master.stop();
  }
}

function start(dataFolder, master) {
  const words = ["daemon", "agent", "--master", master, "--listen", "127.0.0.1:0", "--ip", "127.0.0.1"];
  return spawn(process.execPath, [join(root, "cli", "bin", "muster.js"), ...words, "--data-dir", dataFolder], {
    stdio: ["ignore", "ignore", "inherit"],
    env: { ...process.env, MUSTER_LOG_LEVEL: "error" },
  });
}

async function ended(child, signal) {
  const gone = new Promise((resolve) => child.once("exit", resolve));
  if (child.exitCode === null && child.signalCode === null) {
    child.kill(signal);
    await gone;
  }
}

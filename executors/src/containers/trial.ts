import { spawn } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { setTimeout as pause } from "node:timers/promises";
import { eventsFolder, taskFolders } from "../agent/folders.ts";
import { taskLimits } from "../cgroups/limits.ts";
import { findAccount } from "../shim/accounts.ts";
import { sendSignal } from "../shim/processes.ts";
import { parseEnd, parseStarted, shimSpec } from "../shim/shim-files.ts";
import { shimPath } from "../shim/shim-path.ts";
import type { ProcSpec } from "../world/proc.ts";
import { type Containers, writeBundle } from "./bundle.ts";

/** A runtime that has not begun or ended a program by then does not work. */
const trialTimeoutMs = 15_000;
const lookEveryMs = 5;
const id = "trial.0";

export type Trial =
  /** `seccompProgram`: the filter as the runtime has compiled it, base64; empty if it does not show it. */
  { readonly works: true; readonly seccompProgram: string } | { readonly works: false; readonly reason: string };

/** Runs a program as tasks are run, by the same shim, and ends it: nothing else shows what works on a host. */
export async function tryContainers(dataFolder: string, containers: Containers): Promise<Trial> {
  const folder = `${dataFolder}/trial`;
  await containers.cgroups.remove(id);
  rmSync(folder, { recursive: true, force: true });
  try {
    return await run(folder, containers);
  } catch (error) {
    return { works: false, reason: (error as Error).message };
  } finally {
    await containers.cgroups.remove(id);
    containers.cgroups.removeOwn();
    rmSync(folder, { recursive: true, force: true });
  }
}

async function run(folder: string, containers: Containers): Promise<Trial> {
  const folders = taskFolders(folder, id);
  for (const path of [folders.shared, folders.local, folders.secrets, folders.logs, eventsFolder(folder)])
    mkdirSync(path, { recursive: true });
  const account = findAccount("nobody");
  if (!account) return { works: false, reason: "the host has no account nobody" };
  const extra = writeBundle(folder, sleeper, account, containers);
  const events = `${eventsFolder(folder)}/${id}`;
  writeFileSync(`${folders.task}/spec`, shimSpec(sleeper, folders.work, events, account, extra), { mode: 0o600 });
  const shim = spawn("perl", [shimPath, folders.task], { stdio: "ignore", detached: true });
  const ended = new Promise<void>((resolve) => {
    shim.on("exit", () => resolve());
    shim.on("error", () => resolve());
  });
  const started = await waitFor(`${events}.started`, `${events}.exit`);
  const program = `${folders.task}/oci/state/${id}/seccomp.bpf`;
  const seccompProgram = existsSync(program) ? readFileSync(program).toString("base64") : "";
  const pid = started ? parseStarted(readFileSync(`${events}.started`, "latin1"))?.pid : undefined;
  const last = pid ?? shim.pid;
  if (last !== undefined) sendSignal(last, "SIGKILL");
  await ended;
  if (pid !== undefined) return { works: true, seccompProgram };
  const end = existsSync(`${events}.exit`) ? parseEnd(readFileSync(`${events}.exit`, "latin1")) : undefined;
  return { works: false, reason: end?.type === "failed" ? end.message : `no answer within ${trialTimeoutMs} ms` };
}

const sleeper: ProcSpec = {
  id,
  command: "sleep",
  arguments: ["60"],
  environment: { PATH: "/usr/sbin:/usr/bin:/sbin:/bin" },
  user: "nobody",
  logFileBytesMax: 65_536,
  logFilesMax: 1,
  network: undefined,
  container: {
    rootfs: "",
    workFolder: "/",
    capabilities: { added: [], dropped: [] },
    limits: taskLimits({
      cpuMillis: 100,
      cpuMillisMax: undefined,
      memoryMiB: 64,
      memoryMiBMax: 0,
      processesMax: 16,
      ioMiBPerSecondMax: undefined,
    }),
  },
};

/** True once the first is there, false once the second is, or neither in time. */
async function waitFor(wanted: string, other: string): Promise<boolean> {
  for (let waitedMs = 0; waitedMs < trialTimeoutMs; waitedMs += lookEveryMs) {
    if (existsSync(wanted)) return true;
    if (existsSync(other)) return false;
    await pause(lookEveryMs);
  }
  return false;
}

import { execFile } from "node:child_process";
import { accessSync, constants, existsSync, readFileSync } from "node:fs";
import { delimiter, join } from "node:path";
import { findIoDevice } from "../cgroups/io-device.ts";
import { type CgroupLayout, layoutFault, readLayout } from "../cgroups/layout.ts";
import { TaskCgroups } from "../cgroups/task-cgroups.ts";
import { ownerOf } from "../networks/kernel/namespaces.ts";
import type { ContainerHost, ContainerRuntime } from "./container-host.ts";
import { readHostFiles } from "./host-files.ts";
import { openFilesMax } from "./open-files.ts";
import { tryContainers } from "./trial.ts";

/** The faster first. */
const runtimeNames = ["crun", "runc"] as const;

export type Found =
  | { readonly works: true; readonly host: ContainerHost }
  | { readonly works: false; readonly reason: string };

/** Finds out what makes containers on this host, by making one. */
export async function findContainers(dataFolder: string): Promise<Found> {
  if (process.platform !== "linux") return { works: false, reason: "agents run on Linux only" };
  if (process.getuid?.() !== 0) return { works: false, reason: "the agent is not root: run it with sudo" };
  const cgroups = readLayout();
  const fault = layoutFault(cgroups);
  if (fault !== undefined) return { works: false, reason: fault };
  const taskCgroups = new TaskCgroups(cgroups, ownerOf(dataFolder));
  const faults: string[] = [];
  for (const name of runtimeNames) {
    const path = findProgram(name);
    if (path === undefined) continue;
    const io = findIoDevice(dataFolder, cgroups);
    const host = { ...(await describeHost(name, path, cgroups)), ...(io.works ? { ioDevice: io.device } : {}) };
    const trial = await tryContainers(dataFolder, { host, cgroups: taskCgroups });
    if (trial.works) return { works: true, host: { ...host, seccompProgram: trial.seccompProgram } };
    faults.push(`${name} ${host.runtime.version} does not work here: ${trial.reason}`);
  }
  if (faults.length > 0) return { works: false, reason: faults.join("; ") };
  return { works: false, reason: "neither crun nor runc was found: apt-get install crun" };
}

async function describeHost(
  name: ContainerRuntime["name"],
  path: string,
  cgroups: CgroupLayout,
): Promise<ContainerHost> {
  return {
    runtime: {
      name,
      path,
      version: await versionOf(path),
      initName: name === "crun" ? "crun" : "runc:[2:INIT]",
      // crun refuses the hybrid layout, and works where it sees version 1 alone.
      hiddenMount: name === "crun" ? cgroups.unifiedFolder : "",
    },
    cgroups,
    ...readHostFiles(),
    openFilesMax: openFilesMax(),
    limitsSwap: limitsSwap(cgroups),
    seccompProgram: "",
  };
}

function findProgram(name: string): string | undefined {
  const folders = (process.env["PATH"] ?? "").split(delimiter);
  return [...folders, "/usr/sbin", "/usr/bin"].map((folder) => join(folder, name)).find(isProgram);
}

function isProgram(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return path.startsWith("/");
  } catch {
    return false;
  }
}

function versionOf(path: string): Promise<string> {
  return new Promise((resolve) => {
    execFile(path, ["--version"], { timeout: 5_000 }, (_error, text) =>
      resolve(/\d+(\.\d+)+/.exec(text ?? "")?.[0] ?? "of unknown version"),
    );
  });
}

/** Version 2 counts swap apart, and only where there is some. */
function limitsSwap({ name, hierarchies }: CgroupLayout): boolean {
  if (name === "v2") return readFileSync("/proc/swaps", "latin1").trim().split("\n").length > 1;
  const memory = hierarchies.find(({ controllers }) => controllers.includes("memory"));
  return existsSync(`${memory?.folder}/memory.memsw.limit_in_bytes`);
}

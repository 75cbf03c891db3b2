import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { readLayout } from "../../executors/src/cgroups/layout.ts";
import type { ContainerHost } from "../../executors/src/containers/container-host.ts";
import { findContainers } from "../../executors/src/containers/find-containers.ts";
import { ownerOf } from "../../executors/src/networks/kernel/namespaces.ts";
import { lacking } from "./machine.ts";

/** What makes containers on this machine, or why nothing does. Asked once for a file of tests. */
export async function containersHere(): Promise<{ host?: ContainerHost; reason: string }> {
  if (lacking("ip") !== "") return { reason: lacking("ip") };
  const folder = mkdtempSync(join(tmpdir(), "muster-find-"));
  try {
    const found = await findContainers(folder);
    return found.works ? { host: found.host, reason: "" } : { reason: found.reason };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** What of an agent's containers the kernel knows: cgroups, processes, namespaces, mounts. Sorted, without duplicates. */
export function kernelObjects(dataFolder: string): string[] {
  const owner = ownerOf(dataFolder);
  const found = new Set<string>();
  for (const { folder } of readLayout().hierarchies)
    for (const name of entries(`${folder}/muster-${owner}`, true)) found.add(`cgroup ${folder} ${name}`);
  for (const name of entries("/run/netns")) if (name.includes(owner)) found.add(`namespace ${name}`);
  for (const pid of entries("/proc").filter((name) => /^\d+$/.test(name)))
    if (text(`/proc/${pid}/cmdline`).includes(`${dataFolder}/tasks`)) found.add(`process ${pid}`);
  for (const line of text("/proc/self/mounts").split("\n")) if (line.includes(dataFolder)) found.add(`mount ${line}`);
  return [...found].sort();
}

/** What the kernel limits a process's use of disks to, a line for each: of version 1 what it reads, of version 2 both. */
export function diskLimitsOf(pid: number): string {
  const groups = text(`/proc/${pid}/cgroup`);
  const { name, hierarchies } = readLayout();
  if (name === "v2") return text(`${hierarchies[0]?.folder}${/^0::(.*)$/m.exec(groups)?.[1]}/io.max`);
  const folder = hierarchies.find(({ controllers }) => controllers.includes("blkio"))?.folder;
  const path = /^\d+:(?:\w+,)*blkio(?:,\w+)*:(.*)$/m.exec(groups)?.[1];
  return (
    text(`${folder}${path}/blkio.throttle.read_bps_device`) + text(`${folder}${path}/blkio.throttle.write_bps_device`)
  );
}

function entries(folder: string, foldersOnly = false): string[] {
  try {
    return readdirSync(folder, { withFileTypes: true })
      .filter((entry) => !foldersOnly || entry.isDirectory())
      .map(({ name }) => name);
  } catch {
    return [];
  }
}

function text(path: string): string {
  try {
    return readFileSync(path, "latin1");
  } catch {
    return "";
  }
}

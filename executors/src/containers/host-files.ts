import { lstatSync, readFileSync, readlinkSync } from "node:fs";
import type { HostLink, HostMount } from "./container-host.ts";

/** What containers without a root of their own see of the host: programs, libraries and settings, as Nomad's exec does. */
const hostFolders = [
  "/bin",
  "/etc",
  "/lib",
  "/lib32",
  "/lib64",
  "/run/resolvconf",
  "/run/systemd/resolve",
  "/sbin",
  "/usr",
];

export function readHostFiles(): { readonly mounts: HostMount[]; readonly links: HostLink[] } {
  const mounts: HostMount[] = [];
  const links: HostLink[] = [];
  for (const path of hostFolders) {
    const kind = lstatSync(path, { throwIfNoEntry: false });
    if (kind?.isSymbolicLink()) links.push({ path, target: readlinkSync(path) });
    else if (kind?.isDirectory()) mounts.push({ path });
  }
  const roots = mounts.map(({ path }) => path);
  for (const path of mountsBelow(readFileSync("/proc/self/mountinfo", "utf8"), roots)) mounts.push({ path });
  return { mounts, links };
}

/** What is mounted below these folders, outer ones first. Pure. */
export function mountsBelow(mountinfo: string, folders: readonly string[]): string[] {
  const points = mountinfo.split("\n").flatMap((line) => line.split(" ")[4] ?? []);
  return [...new Set(points)].filter((point) => folders.some((folder) => point.startsWith(`${folder}/`))).sort();
}

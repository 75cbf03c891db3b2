import { readFileSync, readlinkSync } from "node:fs";

/** How a command gets into the surroundings of a running task. */
export interface Entry {
  /** Kinds of namespaces to join, as /proc/PID/ns names them, in the order in which they have to be joined. */
  readonly namespaces: readonly string[];
  /** Folders of the control groups to join. */
  readonly cgroups: readonly string[];
}

/** Mounts come last: what the others need is looked up before it. A namespace of users is not joined. */
const namespaceKinds = ["cgroup", "ipc", "uts", "net", "pid", "mnt"] as const;

/**
 * What of a task's surroundings differs from the agent's own: its namespaces, and the control groups that it is in. The
 * one place that decides how commands, and whoever else has to, enter a task.
 */
export function enter(pid: number): Entry {
  return {
    namespaces: namespaceKinds.filter((kind) => {
      const theirs = linkOf(`/proc/${pid}/ns/${kind}`);
      return theirs !== undefined && theirs !== linkOf(`/proc/self/ns/${kind}`);
    }),
    // Without root the groups of another session can't be joined, and nobody has put the task into one of its own.
    cgroups: process.getuid?.() === 0 ? foreignCgroups(pid, "self") : [],
  };
}

/** Folders of those control groups of a process that another process is not in. */
export function foreignCgroups(pid: number, thanPid: number | "self"): string[] {
  const own = new Set(read(`/proc/${thanPid}/cgroup`).split("\n"));
  const mounts = cgroupMounts(read("/proc/self/mountinfo"));
  return read(`/proc/${pid}/cgroup`)
    .split("\n")
    .filter((line) => line !== "" && !own.has(line))
    .flatMap((line) => folderOf(line, mounts) ?? []);
}

interface CgroupMount {
  /** Controllers, sorted and joined by commas; empty for version 2. */
  readonly controllers: string;
  /** The group that is mounted there. */
  readonly root: string;
  readonly point: string;
}

/** The mounts of cgroup file systems, as /proc/self/mountinfo tells them. */
export function cgroupMounts(mountinfo: string): CgroupMount[] {
  const mounts: CgroupMount[] = [];
  for (const line of mountinfo.split("\n")) {
    const [before = "", after = ""] = line.split(" - ");
    const [, , , root = "", point = ""] = before.split(" ");
    const [type, , options = ""] = after.split(" ");
    if (type === "cgroup2") mounts.push({ controllers: "", root, point });
    else if (type === "cgroup") mounts.push({ controllers: sortedList(options), root, point });
  }
  return mounts;
}

/** "5:cpu,cpuacct:/muster/a" is a folder below the mount that has these controllers among its options. */
function folderOf(line: string, mounts: readonly CgroupMount[]): string | undefined {
  const [, controllers = "", ...rest] = line.split(":");
  const path = rest.join(":");
  const wanted = controllers.split(",");
  const mount = mounts.find((each) => {
    if (controllers === "" || each.controllers === "") return controllers === each.controllers;
    const options = each.controllers.split(",");
    return wanted.every((name) => options.includes(name));
  });
  if (!mount) return undefined;
  const below = mount.root === "/" ? path : path.startsWith(mount.root) ? path.slice(mount.root.length) : undefined;
  return below === undefined ? undefined : `${mount.point}${below === "/" ? "" : below}`;
}

function sortedList(text: string): string {
  return text.split(",").sort().join(",");
}

function linkOf(path: string): string | undefined {
  try {
    return readlinkSync(path);
  } catch {
    return undefined;
  }
}

function read(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
}

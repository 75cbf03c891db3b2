import { readdirSync, readFileSync } from "node:fs";

/** A process as /proc tells of it. */
export interface ProcessSeen {
  readonly pid: number;
  readonly parent: number;
  readonly argv: readonly string[];
  readonly environment: readonly string[];
}

/** Processes, other than this one, that have a folder in their environment or command line. O(processes of the host). */
export function processesWith(folder: string): ProcessSeen[] {
  const found: ProcessSeen[] = [];
  for (const entry of readdirSync("/proc")) {
    const pid = Number(entry);
    if (!Number.isInteger(pid) || pid === process.pid) continue;
    const seen = look(pid);
    if (seen && [...seen.argv, ...seen.environment].some((text) => text.includes(folder))) found.push(seen);
  }
  return found;
}

/** The components of a cluster by name: children of `muster dev`, of which each says in its command line what it is. */
export function componentsOf(folder: string, supervisor: number): Map<string, number> {
  const components = new Map<string, number>();
  for (const { pid, parent, argv } of processesWith(folder)) {
    const at = argv.indexOf("daemon");
    if (parent !== supervisor || at < 0) continue;
    const named = argv.indexOf("--name");
    components.set((named < 0 ? argv[at + 1] : argv[named + 1]) ?? "", pid);
  }
  return components;
}

/** Main processes of tasks whose command line holds the marker, by task id; more than one for an id is a doubled task. */
export function tasksOf(folder: string, marker: string): Map<string, number[]> {
  const tasks = new Map<string, number[]>();
  for (const { pid, argv, environment } of processesWith(folder)) {
    // A supervisor of a task may name the command too, but is not it: the command itself ends with the marker.
    if (!argv.at(-1)?.endsWith(marker)) continue;
    const id = environment.find((entry) => entry.startsWith("MUSTER_TASK_ID="))?.slice("MUSTER_TASK_ID=".length);
    if (id === undefined) continue;
    tasks.set(id, [...(tasks.get(id) ?? []), pid]);
  }
  return tasks;
}

function look(pid: number): ProcessSeen | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "latin1");
    // The name in brackets may itself hold brackets and blanks.
    const parent = Number(stat.slice(stat.lastIndexOf(")") + 2).split(" ")[1]);
    return { pid, parent, argv: texts(`/proc/${pid}/cmdline`), environment: texts(`/proc/${pid}/environ`) };
  } catch {
    // It has ended meanwhile, or belongs to somebody else.
    return undefined;
  }
}

function texts(path: string): string[] {
  return readFileSync(path, "utf8").replace(/\0$/, "").split("\0");
}

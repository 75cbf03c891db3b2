import { promises as fs } from "node:fs";
import { readText } from "./read-text.ts";

/** Clock ticks of /proc are hundredths of a second on every Linux that programs see. */
const tickNs = 10_000_000;
/** Processes of a task that are looked at; what is beyond is left out. */
export const treePidsMax = 10_000;

export interface Tree {
  readonly pids: readonly number[];
  /** Nanoseconds of all that live and of all that were waited for. */
  readonly cpuNs: number;
}

export interface Stat {
  readonly parent: number;
  readonly ownTicks: number;
  readonly childTicks: number;
  readonly isDead: boolean;
}

/** All processes of the host, and who are whose children. */
export interface Processes {
  readonly stats: ReadonlyMap<number, Stat>;
  readonly children: ReadonlyMap<number, readonly number[]>;
}

/** O(processes of the host). */
export async function readProcesses(): Promise<Processes> {
  const stats = new Map<number, Stat>();
  for (const name of await fs.readdir("/proc")) {
    if (!/^\d+$/.test(name)) continue;
    const text = await readText(`/proc/${name}/stat`);
    const stat = text === undefined ? undefined : parseStat(text);
    if (stat) stats.set(Number(name), stat);
  }
  const children = new Map<number, number[]>();
  for (const [child, { parent }] of stats) {
    const siblings = children.get(parent);
    if (siblings) siblings.push(child);
    else children.set(parent, [child]);
  }
  return { stats, children };
}

/** The processes of one task by themselves. O(processes of the host). */
export async function findTree(pid: number, shimPid: number): Promise<Tree | undefined> {
  return treeOf(await readProcesses(), pid, shimPid);
}

/**
 * A task's processes: what descends from its main one, and what the shim has taken in. Undefined if the main one is gone.
 * O(processes of the task).
 */
export function treeOf({ stats, children }: Processes, pid: number, shimPid: number): Tree | undefined {
  if (!stats.has(pid)) return undefined;
  const found = new Set<number>();
  const stack = [pid, ...(children.get(shimPid) ?? [])];
  for (let at = stack.pop(); at !== undefined && found.size < treePidsMax; at = stack.pop()) {
    if (found.has(at)) continue;
    found.add(at);
    stack.push(...(children.get(at) ?? []));
  }
  // What the shim itself has done is not the task's; what its dead children have done is.
  let ticks = stats.get(shimPid)?.childTicks ?? 0;
  for (const each of found) {
    const stat = stats.get(each);
    ticks += (stat?.ownTicks ?? 0) + (stat?.childTicks ?? 0);
  }
  return { pids: [...found].filter((each) => stats.get(each)?.isDead === false), cpuNs: ticks * tickNs };
}

/** The name in brackets may itself hold brackets and blanks. */
export function parseStat(text: string): Stat | undefined {
  const fields = text.slice(text.lastIndexOf(")") + 2).split(" ");
  const numbers = fields.map(Number);
  const [parent, user, system, childUser, childSystem] = [1, 11, 12, 13, 14].map(
    (index) => numbers[index] ?? Number.NaN,
  );
  const stat = {
    parent: parent ?? 0,
    ownTicks: (user ?? 0) + (system ?? 0),
    childTicks: (childUser ?? 0) + (childSystem ?? 0),
    isDead: fields[0] === "Z" || fields[0] === "X",
  };
  return Number.isNaN(stat.ownTicks + stat.childTicks + stat.parent) ? undefined : stat;
}

/** Memory of processes: in fair shares where the kernel tells them, else what each has resident. */
export async function treeMemory(
  pids: readonly number[],
): Promise<{ memoryBytes: number; memorySource: "pss" | "rss" }> {
  let shares = 0;
  let resident = 0;
  let hasShares = true;
  for (const pid of pids) {
    const status = await readText(`/proc/${pid}/status`);
    if (status === undefined) continue;
    const rss = kilobytes(status, "VmRSS") ?? 0;
    resident += rss;
    // Threads of the kernel's, and what is about to end, have no memory and no shares.
    const rollup = rss === 0 ? "Pss: 0 kB" : await readText(`/proc/${pid}/smaps_rollup`);
    const pss = rollup === undefined ? undefined : kilobytes(rollup, "Pss");
    if (pss === undefined) hasShares = false;
    else shares += pss;
  }
  return { memoryBytes: (hasShares ? shares : resident) * 1_024, memorySource: hasShares ? "pss" : "rss" };
}

function kilobytes(text: string, name: string): number | undefined {
  const found = new RegExp(`^${name}:\\s+(\\d+) kB`, "m").exec(text);
  return found ? Number(found[1]) : undefined;
}

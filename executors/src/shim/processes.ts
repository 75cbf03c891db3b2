import { readdirSync, readFileSync } from "node:fs";

/** Processes that are looked through when a supervisor was lost. */
const killRoundsMax = 200;

export function readBootId(): string {
  return readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim();
}

/** Start of a process in clock ticks since the boot; undefined if there is none of that pid. */
export function startTicks(pid: number): number | undefined {
  return statOf(pid)?.startTicks;
}

/** Whether the process of that pid is the one that started then, and has not ended. */
export function isAlive(pid: number, ticks: number): boolean {
  const stat = statOf(pid);
  return stat !== undefined && stat.startTicks === ticks && stat.state !== "Z";
}

interface Stat {
  readonly state: string;
  readonly parent: number;
  readonly session: number;
  readonly startTicks: number;
}

function statOf(pid: number): Stat | undefined {
  let line: string;
  try {
    line = readFileSync(`/proc/${pid}/stat`, "latin1");
  } catch {
    return undefined;
  }
  // The name in brackets may itself hold brackets and blanks.
  const fields = line.slice(line.lastIndexOf(")") + 2).split(" ");
  return {
    state: fields[0] ?? "",
    parent: Number(fields[1]),
    session: Number(fields[3]),
    startTicks: Number(fields[19]),
  };
}

/**
 * SIGKILL for everything that a task without supervisor has brought forth: what is in its session, what descends from
 * it, and what has its folder in the environment. Goes on until nothing is left. O(processes of the host) a round.
 */
export function killLeftovers(main: { pid: number; startTicks: number } | undefined, folder: string): void {
  // A pid that was given to another since names neither the command nor its session.
  const ticks = main && startTicks(main.pid);
  const mainPid = main && (ticks === undefined || ticks === main.startTicks) ? main.pid : undefined;
  for (let round = 0; round < killRoundsMax; round++) {
    const left = leftovers(mainPid, folder);
    if (left.length === 0) return;
    for (const pid of left) sendSignal(pid, "SIGKILL");
  }
}

function leftovers(mainPid: number | undefined, folder: string): number[] {
  const stats = new Map<number, Stat>();
  for (const name of readdirSync("/proc")) {
    const pid = Number(name);
    const stat = Number.isInteger(pid) ? statOf(pid) : undefined;
    if (stat && stat.state !== "Z" && pid !== process.pid) stats.set(pid, stat);
  }
  const found = new Set<number>();
  for (const [pid, stat] of stats)
    if (pid === mainPid || stat.session === mainPid || hasInEnvironment(pid, folder)) found.add(pid);
  for (let before = -1; before !== found.size; ) {
    before = found.size;
    for (const [pid, stat] of stats) if (found.has(stat.parent)) found.add(pid);
  }
  return [...found];
}

function hasInEnvironment(pid: number, folder: string): boolean {
  try {
    return readFileSync(`/proc/${pid}/environ`, "latin1").includes(`MUSTER_TASK_DIR=${folder}\0`);
  } catch {
    return false;
  }
}

/** False if there is nothing to send it to. A negative pid means a group of processes. */
export function sendSignal(pid: number, signal: string): boolean {
  try {
    process.kill(pid, signal);
    return true;
  } catch {
    return false;
  }
}

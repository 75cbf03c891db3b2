import { readdirSync, readFileSync, rmdirSync, writeFileSync } from "node:fs";
import { setTimeout as pause } from "node:timers/promises";
import { sendSignal } from "../shim/processes.ts";
import type { CgroupHierarchy, CgroupLayout } from "./layout.ts";

/** Rounds of killing before a cgroup that resists is left to the next look. */
const killRoundsMax = 200;
const killPauseMs = 10;

/** What a task uses now, and what became of it. */
export interface CgroupStats {
  readonly memoryBytes: number;
  /** Time on processors, microseconds. */
  readonly cpuMicros: number;
  readonly processCount: number;
  /** Processes that the kernel ended since the task was at its limit of memory. */
  readonly memoryKills: number;
}

/** The cgroups of one agent's tasks: one per task, below one per agent, so that two agents of a host do not meet. */
export class TaskCgroups {
  readonly #layout: CgroupLayout;
  readonly #name: string;

  constructor(layout: CgroupLayout, owner: string) {
    this.#layout = layout;
    this.#name = `muster-${owner}`;
  }

  /** Path as an OCI runtime takes it. */
  pathOf(id: string): string {
    return `/${this.#name}/${id}`;
  }

  /** Of every hierarchy. */
  foldersOf(id: string): string[] {
    return this.#layout.hierarchies.map(({ folder }) => `${folder}${this.pathOf(id)}`);
  }

  /** The file in which the kernel counts what it has ended for want of memory. */
  memoryKillsFile(id: string): string {
    const name = this.#layout.name === "v2" ? "memory.events" : "memory.oom_control";
    return `${this.#folderOf(id, "memory")}/${name}`;
  }

  /** Undefined if there is no such cgroup. */
  stats(id: string): CgroupStats | undefined {
    const isSecond = this.#layout.name === "v2";
    const memory = read(`${this.#folderOf(id, "memory")}/${isSecond ? "memory.current" : "memory.usage_in_bytes"}`);
    if (memory === "") return undefined;
    const cpu = isSecond
      ? Number(/^usage_usec (\d+)$/m.exec(read(`${this.#folderOf(id, "cpu")}/cpu.stat`))?.[1] ?? 0)
      : Math.round(Number(read(`${this.#folderOf(id, "cpuacct")}/cpuacct.usage`)) / 1_000);
    return {
      memoryBytes: Number(memory),
      cpuMicros: cpu,
      processCount: Number(read(`${this.#folderOf(id, "pids")}/pids.current`)),
      memoryKills: parseMemoryKills(read(this.memoryKillsFile(id))),
    };
  }

  /** Ends everything in a task's cgroup and removes it. Doing it twice is harmless. False if something resists. */
  async remove(id: string): Promise<boolean> {
    const folders = this.foldersOf(id);
    for (let round = 0; round < killRoundsMax; round++) {
      const pids = new Set(folders.flatMap(processesBelow));
      if (pids.size === 0 && folders.every(removeTree)) return true;
      if (pids.size > 0) this.#kill(id, pids);
      await pause(killPauseMs);
    }
    return false;
  }

  /** Ids of all tasks that have a cgroup in any hierarchy. */
  ids(): string[] {
    const found = new Set<string>();
    for (const { folder } of this.#layout.hierarchies)
      for (const name of subfolders(`${folder}/${this.#name}`)) found.add(name);
    return [...found];
  }

  /** Takes away the agent's own, if no task is left in it. */
  removeOwn(): void {
    for (const { folder } of this.#layout.hierarchies) removeFolder(`${folder}/${this.#name}`);
  }

  /** Frozen first where the kernel can't do it at once, so that nothing can fork away from its end. */
  #kill(id: string, pids: ReadonlySet<number>): void {
    if (this.#layout.name === "v2" && write(`${this.#folderOf(id, "memory")}/cgroup.kill`, "1")) return;
    const freezer = `${this.#folderOf(id, "freezer")}/freezer.state`;
    write(freezer, "FROZEN");
    for (const pid of pids) sendSignal(pid, "SIGKILL");
    write(freezer, "THAWED");
  }

  #folderOf(id: string, controller: string): string {
    const has = ({ controllers }: CgroupHierarchy): boolean => controllers.includes(controller);
    const hierarchy = this.#layout.hierarchies.find(has) ?? this.#layout.hierarchies[0];
    return `${hierarchy?.folder ?? ""}${this.pathOf(id)}`;
  }
}

/** The count of processes ended for want of memory, of either version's file. Pure. */
export function parseMemoryKills(text: string): number {
  return Number(/^oom_kill (\d+)$/m.exec(text)?.[1] ?? 0);
}

function processesBelow(folder: string): number[] {
  const own = read(`${folder}/cgroup.procs`).split("\n").filter(Boolean).map(Number);
  return [...own, ...subfolders(folder).flatMap((name) => processesBelow(`${folder}/${name}`))];
}

/** False if something of it is left. */
function removeTree(folder: string): boolean {
  for (const name of subfolders(folder)) removeTree(`${folder}/${name}`);
  return removeFolder(folder);
}

function removeFolder(folder: string): boolean {
  try {
    rmdirSync(folder);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "ENOENT";
  }
}

function subfolders(folder: string): string[] {
  try {
    return readdirSync(folder, { withFileTypes: true })
      .filter((entry) => entry.isDirectory())
      .map(({ name }) => name);
  } catch {
    return [];
  }
}

function read(path: string): string {
  try {
    return readFileSync(path, "latin1");
  } catch {
    return "";
  }
}

function write(path: string, text: string): boolean {
  try {
    writeFileSync(path, text);
    return true;
  } catch {
    return false;
  }
}

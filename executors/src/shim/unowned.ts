import { readdirSync, readFileSync, rmSync } from "node:fs";
import type { Log } from "@muster/foundation";
import { attemptOf, claimName, eventsFolder, groupOf, taskFolders } from "../agent/folders.ts";
import type { ProcStarted } from "../world/proc.ts";
import { isAlive, killLeftovers, sendSignal } from "./processes.ts";
import { parseStarted } from "./shim-files.ts";

/** What commands of groups without records have left behind: processes, folders, events. */
export class UnownedCommands {
  readonly #dataFolder: string;
  readonly #log: Log;
  readonly #remove: (group: string) => void;
  /** Groups of which something was alive at the last look. */
  readonly #ghosts = new Set<string>();

  /** `remove` deletes what there is of a group. */
  constructor(dataFolder: string, log: Log, remove: (group: string) => void) {
    this.#dataFolder = dataFolder;
    this.#log = log;
    this.#remove = remove;
  }

  /** Ends and deletes what no record of the agent speaks of. */
  sweep(known: ReadonlySet<string>): void {
    const folder = `${this.#dataFolder}/tasks`;
    for (const group of readdirSync(folder)) {
      if (known.has(group)) continue;
      const indexes = readdirSync(`${folder}/${group}`).filter((name) => /^\d+$/.test(name));
      const ids = indexes.flatMap((index) => this.#attemptsOf(`${group}.${index}`));
      const alive = ids.filter((id) => this.#end(id, this.#ghosts.has(group)));
      // By its folder it is found again at the next look, should anything have got away.
      if (alive.length > 0) this.#ghosts.add(group);
      else {
        this.#ghosts.delete(group);
        this.#remove(group);
      }
    }
    const events = eventsFolder(this.#dataFolder);
    for (const name of readdirSync(events)) {
      const id = name.replace(/\.[a-z.]+$/, "");
      if (known.has(groupOf(id)) || this.#ghosts.has(groupOf(id))) continue;
      // Begun while its folder was being deleted: what says so is kept until the next look finds it dead.
      if (!name.endsWith(".started") || !this.#end(id, false)) rmSync(`${events}/${name}`, { force: true });
    }
  }

  /** Ends what is alive of an attempt; false if nothing seems to be. */
  #end(id: string, wasAlive: boolean): boolean {
    const started = readStarted(this.#dataFolder, id);
    const shimPid = claimantOf(this.#dataFolder, id);
    const isThere = shimPid !== undefined || (started !== undefined && isAlive(started.pid, started.startTicks));
    if (isThere) this.#log.warn({ task: id, pid: started?.pid }, "a command that no record speaks of is ended");
    // A shim that has not said what it started may be about to start it.
    if (shimPid !== undefined && !started) sendSignal(shimPid, "SIGKILL");
    if (isThere || wasAlive) killLeftovers(started, taskFolders(this.#dataFolder, id).local);
    return isThere;
  }

  /** The ids of those attempts of a task that were begun. */
  #attemptsOf(id: string): string[] {
    const claims = readdirSync(taskFolders(this.#dataFolder, id).task).filter((name) => /^claim(-\d+)?$/.test(name));
    return claims.map((name) => `${id}${name.slice("claim".length)}`);
  }
}

/** The living shim that has begun an attempt. */
export function claimantOf(dataFolder: string, id: string): number | undefined {
  try {
    const pid = Number(readFileSync(`${taskFolders(dataFolder, id).task}/${claimName(attemptOf(id))}`, "latin1"));
    return pid > 0 && readFileSync(`/proc/${pid}/cmdline`, "latin1").includes(dataFolder) ? pid : undefined;
  } catch {
    return undefined;
  }
}

/** What a shim has said of the command that it started. */
export function readStarted(dataFolder: string, id: string): ProcStarted | undefined {
  try {
    return parseStarted(readFileSync(`${eventsFolder(dataFolder)}/${id}.started`, "latin1"));
  } catch {
    return undefined;
  }
}

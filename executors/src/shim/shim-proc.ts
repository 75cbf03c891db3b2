import {
  chmodSync,
  chownSync,
  existsSync,
  type FSWatcher,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rm,
  rmSync,
  watch,
  writeFileSync,
} from "node:fs";
import type { Cancel, Clock, Log } from "@muster/foundation";
import { attemptOf, claimName, eventsFolder, groupOf, taskFolders, taskIdOf } from "../agent/folders.ts";
import { accountOf } from "../containers/account-of.ts";
import { type Containers, writeBundle } from "../containers/bundle.ts";
import { writeEngineBundle } from "../engine/engine-bundle.ts";
import type { OwnEngine } from "../engine/own-engine.ts";
import { writeGivenFiles } from "../files/given-files.ts";
import { linkVolumes } from "../volumes/mounts.ts";
import type { OwnedCommands, Proc, ProcEvents, ProcSpec, ProcStarted } from "../world/proc.ts";
import type { Account } from "./accounts.ts";
import { isAlive, killLeftovers, readBootId, sendSignal } from "./processes.ts";
import { parseEnd, parseMemoryKilled, shimSpec } from "./shim-files.ts";
import { ShimMaker } from "./shim-maker.ts";
import { claimantOf, readStarted, UnownedCommands } from "./unowned.ts";

/** The folder of events is looked through so often while tasks live, in case the kernel's notice was lost. */
export const rescanMs = 2_000;
/** So many rescans pass between two looks at the shims that nobody watches. */
const rescansPerLook = 2;
/** Of attempts so long ago a shim that came too late is not on its way any more. */
const attemptsKept = 2;

export interface ShimProcOptions {
  /** Absolute path of the agent's own folder. */
  readonly dataFolder: string;
  readonly clock: Clock;
  readonly log: Log;
  /** Program that runs the shim. Default: "perl", found by the agent's PATH. */
  readonly perl?: string;
  /** Absent: no command can have a container by a runtime. */
  readonly containers?: Containers;
  /** Absent: no command can have one by an Engine. */
  readonly engine?: OwnEngine;
}

/** Commands under shims: one perl process per task, which outlives the agent. Linux only. */
export function shimProc(options: ShimProcOptions): Proc {
  return new ShimProc(options);
}

interface Watched {
  started: ProcStarted | undefined;
  /** Whether the shim is a child of this agent's maker of shims, so that its end is noticed at once. */
  isChild: boolean;
  /** Its supervisor is gone, and what is left of it is being ended. */
  isLost: boolean;
}

class ShimProc implements Proc {
  readonly bootId = readBootId();
  readonly #dataFolder: string;
  readonly #eventsFolder: string;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #maker: ShimMaker;
  readonly #containers: Containers | undefined;
  readonly #engine: OwnEngine | undefined;
  readonly #watched = new Map<string, Watched>();
  readonly #unowned: UnownedCommands;
  #events: ProcEvents | undefined;
  #watcher: FSWatcher | undefined;
  #rescan: Cancel | undefined;
  #rescanCount = 0;

  constructor({ dataFolder, clock, log, perl = "perl", containers, engine }: ShimProcOptions) {
    this.#dataFolder = dataFolder;
    this.#eventsFolder = eventsFolder(dataFolder);
    this.#clock = clock;
    this.#log = log;
    this.#maker = new ShimMaker(perl, dataFolder);
    this.#containers = containers;
    this.#engine = engine;
    this.#unowned = new UnownedCommands(dataFolder, log, (group) => this.remove(group));
  }

  start(events: ProcEvents, known: ReadonlySet<string>): void {
    this.#events = events;
    mkdirSync(this.#eventsFolder, { recursive: true, mode: 0o700 });
    this.#watcher = watch(this.#eventsFolder, (_event, name) => {
      if (name) this.#look(name);
    });
    this.#watcher.on("error", (error) => this.#log.warn({ error }, "events of tasks are not watched, only rescanned"));
    this.#sweep(known);
  }

  stop(): void {
    this.#watcher?.close();
    this.#rescan?.();
    this.#events = undefined;
    this.#watched.clear();
    this.#maker.close();
    this.#containers?.cgroups.removeOwn();
  }

  spawn(spec: ProcSpec): void {
    const folders = taskFolders(this.#dataFolder, spec.id);
    try {
      if (spec.command === "") throw new Error("neither the image nor the task names a command: set config.command");
      const account = accountOf(spec.user, spec.container);
      if (spec.user !== "" && !account && !spec.container?.engineImage)
        throw new Error(`user ${spec.user} is not known on this host`);
      for (const path of [folders.shared, folders.local, folders.secrets, folders.logs])
        mkdirSync(path, { recursive: true, mode: 0o755 });
      for (const path of [folders.group, folders.task]) chmodSync(path, 0o711);
      if (spec.files && attemptOf(spec.id) === 0 && !this.#isClaimed(spec.id))
        writeGivenFiles(spec.files, folders.local, account);
      if (account) this.#giveFolders([folders.work, folders.local, folders.secrets, folders.shared], account);
      if (!spec.container) linkVolumes(spec, folders.work);
      const extra = spec.container ? this.#writeContainer(spec, account) : [];
      const text = shimSpec(spec, folders.work, `${this.#eventsFolder}/${spec.id}`, account, extra);
      // Whole at once: a shim of an earlier life of the agent may be reading it.
      writeFileSync(`${folders.task}/spec.new`, text, { mode: 0o600 });
      renameSync(`${folders.task}/spec.new`, `${folders.task}/spec`);
      this.#forgetAttempt(spec.id, attemptOf(spec.id) - attemptsKept);
    } catch (error) {
      this.#later(() => this.#finish(spec.id)?.failed(spec.id, (error as Error).message));
      this.#watch(spec.id, true);
      return;
    }
    this.#watch(spec.id, true);
    this.#runShim(spec.id, folders.task);
  }

  /** What an attempt long ago has left behind beside its output. */
  #forgetAttempt(id: string, attempt: number): void {
    if (attempt < 0) return;
    const { task } = taskFolders(this.#dataFolder, id);
    const old = attempt === 0 ? taskIdOf(id) : `${taskIdOf(id)}-${attempt}`;
    for (const end of ["started", "memory", "exit"]) rmSync(`${this.#eventsFolder}/${old}.${end}`, { force: true });
    rmSync(`${task}/${claimName(attempt)}`, { force: true });
  }

  adopt(id: string, bootId: string): void {
    this.#watch(id, false);
    this.#later(() => {
      if (this.#lookEnd(id)) return;
      const started = bootId === this.bootId ? this.#readStarted(id) : undefined;
      if (started) {
        this.#started(id, started);
        // Its end may have been recorded since the first look.
        if (!this.#lookEnd(id)) this.#checkSupervisor(id);
      } else if (bootId !== this.bootId || !this.#isClaimed(id)) this.#finish(id)?.absent(id);
    });
  }

  signal(id: string, signal: string): void {
    const started = this.#watched.get(id)?.started;
    if (!started || !isAlive(started.pid, started.startTicks)) return;
    if (!sendSignal(-started.pid, signal)) sendSignal(started.pid, signal);
  }

  /** The death of the command makes its shim end everything else. Without a shim it is done from here. */
  kill(id: string): void {
    const started = this.#watched.get(id)?.started;
    if (!started) return;
    if (isAlive(started.shimPid, started.shimStartTicks)) this.signal(id, "SIGKILL");
    else this.#checkSupervisor(id);
  }

  remove(group: string): void {
    for (const name of readdirSync(this.#eventsFolder))
      if (groupOf(name.replace(/\.[a-z.]+$/, "")) === group) rmSync(`${this.#eventsFolder}/${name}`, { force: true });
    rm(`${this.#dataFolder}/tasks/${group}`, { recursive: true, force: true }, (error) => {
      if (error) this.#log.warn({ error }, "the folder of an ended task could not be deleted");
    });
  }

  #writeContainer(spec: ProcSpec, account: Account | undefined): readonly string[] {
    if (spec.container?.engineImage) {
      if (!this.#engine) throw new Error("this agent has no Engine any more");
      return writeEngineBundle(this.#dataFolder, spec, this.#engine.socket, this.#engine.owner);
    }
    if (!account) return [];
    if (!this.#containers) throw new Error("this agent can't make containers any more");
    return writeBundle(this.#dataFolder, spec, account, this.#containers);
  }

  #giveFolders(paths: readonly string[], account: Account): void {
    for (const path of paths) chownSync(path, account.uid, account.gid);
  }

  #runShim(id: string, folder: string): void {
    this.#maker.make(folder, (end) => {
      const watched = this.#watched.get(id);
      if (!watched) return;
      if (end.type === "failed") this.#finish(id)?.failed(id, `the shim could not be started: ${end.message}`);
      else if (this.#lookEnd(id)) return;
      // A shim that leaves at once without a word found that another had begun before it.
      else if (end.type === "unwatched" || end.status === 0) watched.isChild = false;
      else this.#checkSupervisor(id);
    });
  }

  #watch(id: string, isChild: boolean): void {
    this.#watched.set(id, { started: undefined, isChild, isLost: false });
    this.#planRescan();
  }

  #later(act: () => void): void {
    this.#clock.after(0, () => {
      if (this.#events) act();
    });
  }

  /** Ends the watch over a task; gives whom to tell, if it was watched. */
  #finish(id: string): ProcEvents | undefined {
    return this.#watched.delete(id) ? this.#events : undefined;
  }

  #look(name: string): void {
    const dot = name.lastIndexOf(".");
    const id = name.slice(0, dot);
    if (!this.#watched.has(id)) return;
    if (name.endsWith(".exit")) this.#lookEnd(id);
    else if (name.endsWith(".started")) {
      const started = this.#readStarted(id);
      if (started) this.#started(id, started);
    } else if (name.endsWith(".memory")) this.#lookMemory(id);
  }

  #lookMemory(id: string): void {
    const text = this.#watched.get(id)?.started && this.#read(`${id}.memory`);
    const kills = text ? parseMemoryKilled(text) : 0;
    if (kills > 0) this.#events?.memoryKilled(id, kills);
  }

  #started(id: string, started: ProcStarted): void {
    const watched = this.#watched.get(id);
    if (!watched || watched.started) return;
    watched.started = started;
    this.#events?.started(id, started);
    this.#lookMemory(id);
  }

  /** Tells of a recorded end; false if there is none yet. */
  #lookEnd(id: string): boolean {
    const text = this.#read(`${id}.exit`);
    const end = text === undefined ? undefined : parseEnd(text);
    if (!end) return false;
    const started = end.type === "exited" ? this.#readStarted(id) : undefined;
    if (started) this.#started(id, started);
    const events = this.#finish(id);
    if (end.type === "failed") events?.failed(id, end.message);
    else events?.exited(id, end.exit);
    return true;
  }

  #readStarted(id: string): ProcStarted | undefined {
    return readStarted(this.#dataFolder, id);
  }

  #read(name: string): string | undefined {
    try {
      return readFileSync(`${this.#eventsFolder}/${name}`, "latin1");
    } catch {
      return undefined;
    }
  }

  #isClaimed(id: string): boolean {
    return claimantOf(this.#dataFolder, id) !== undefined;
  }

  /** A shim that is gone without a record takes everything of its task with it. */
  #checkSupervisor(id: string): void {
    const watched = this.#watched.get(id);
    if (!watched || watched.isLost) return;
    const started = watched.started ?? this.#readStarted(id);
    if (started && isAlive(started.shimPid, started.shimStartTicks)) return;
    if (!started && this.#isClaimed(id)) return;
    if (this.#lookEnd(id)) return;
    killLeftovers(started, taskFolders(this.#dataFolder, id).local);
    watched.isLost = true;
    this.#removeCgroup(id, () => this.#removeByEngine(id, () => this.#finish(id)?.lost(id)));
  }

  /** The processes of an Engine's container are nobody's children here. */
  #removeByEngine(id: string, done: () => void): void {
    if (this.#engine && existsSync(`${taskFolders(this.#dataFolder, id).task}/engine`)) this.#engine.remove(id, done);
    else done();
  }

  /** A process may have left its session and its parents, never its cgroup. */
  #removeCgroup(id: string, done: () => void): void {
    if (!this.#containers) {
      done();
      return;
    }
    void this.#containers.cgroups.remove(id).then((isGone) => {
      if (!isGone) this.#log.warn({ task: id }, "processes of an ended task resist their end");
      done();
    });
  }

  #planRescan(): void {
    if (this.#rescan || this.#watched.size === 0) return;
    this.#rescan = this.#clock.after(rescanMs, () => {
      this.#rescan = undefined;
      if (!this.#events) return;
      for (const name of readdirSync(this.#eventsFolder)) this.#look(name);
      if (++this.#rescanCount % rescansPerLook === 0)
        for (const [id, watched] of this.#watched) if (!watched.isChild) this.#checkSupervisor(id);
      this.#planRescan();
    });
  }

  keep({ groups, living }: OwnedCommands): void {
    try {
      this.#sweep(groups);
      for (const id of this.#containers?.cgroups.ids() ?? [])
        if (!living.has(id) && !this.#watched.has(id)) this.#removeCgroup(id, () => {});
      this.#engine?.keep((id) => living.has(id) || this.#watched.has(id));
    } catch (error) {
      // The next look may find what has vanished under this one in order.
      this.#log.warn({ error }, "what belongs to no task could not be looked for");
    }
  }

  #sweep(known: ReadonlySet<string>): void {
    this.#unowned.sweep(known);
    for (const id of this.#containers?.cgroups.ids() ?? [])
      if (!known.has(groupOf(id))) this.#removeCgroup(id, () => {});
    this.#engine?.keep((id) => known.has(groupOf(id)) || this.#watched.has(id));
  }
}

import { constants, promises as fs, type Stats } from "node:fs";
import { invalid, MusterError } from "@muster/foundation";
import { taskFolders } from "../agent/folders.ts";
import type { FileSink, LogReading, TaskFile, TaskFiles } from "../world/task-files.ts";
import { type Found, heldPath, isHidden, namesOf, notAFolder, walk } from "./walk.ts";

/** Bytes of a piece. */
const pieceBytes = 64 * 1024;
/** Names in a folder that can be listed: they are put in order in memory. */
export const folderNamesMax = 100_000;

/** The folders of tasks on this host's disk. */
export function nodeTaskFiles(dataFolder: string): TaskFiles {
  const rootOf = (id: string): string => taskFolders(dataFolder, id).work;
  return {
    list({ id, path, after, countMax }, done) {
      list(rootOf(id), path, after, countMax).then(
        ({ files, more }) => done(files, more, undefined),
        (error: unknown) => done([], false, known(error)),
      );
    },
    read: ({ id, path, offset, length }, sink) => new Reading(rootOf(id), path, offset, length, sink),
  };
}

async function list(root: string, path: string, after: string, countMax: number) {
  const names = namesOf(path);
  if (names instanceof MusterError) throw names;
  const found = await walk(root, names);
  try {
    if (!found.stats.isDirectory()) return { files: await listOne(root, names), more: false };
    const entries = (await namesIn(heldPath(found.handle))).filter((name) => name > after && !isHidden(names, name));
    const files: TaskFile[] = [];
    for (const name of entries.slice(0, countMax)) {
      const entry = await look(found, name);
      if (entry) files.push(entry);
    }
    return { files, more: entries.length > countMax };
  } finally {
    await found.handle.close();
  }
}

async function listOne(root: string, names: readonly string[]): Promise<TaskFile[]> {
  const folder = await walk(root, names.slice(0, -1));
  try {
    const file = await look(folder, names.at(-1) ?? "");
    return file ? [file] : [];
  } finally {
    await folder.handle.close();
  }
}

/** In order. Throws `too-many`. */
export async function namesIn(folder: string): Promise<string[]> {
  const names: string[] = [];
  for await (const { name } of await fs.opendir(folder)) {
    if (names.length >= folderNamesMax)
      throw new MusterError("too-many", `more than ${folderNamesMax} files in the folder`);
    names.push(name);
  }
  return names.sort((a, b) => (a < b ? -1 : 1));
}

/** Undefined if it is gone since it was listed. */
async function look({ handle }: Found, name: string): Promise<TaskFile | undefined> {
  const path = `${heldPath(handle)}/${name}`;
  try {
    return await fileOf(name, await fs.lstat(path), () => fs.readlink(path));
  } catch {
    return undefined;
  }
}

async function fileOf(name: string, stats: Stats, target: () => Promise<string>): Promise<TaskFile> {
  const kind = stats.isFile() ? "file" : stats.isDirectory() ? "folder" : stats.isSymbolicLink() ? "link" : "other";
  return {
    name,
    kind,
    sizeBytes: stats.size,
    changedAt: Math.floor(stats.mtimeMs),
    mode: stats.mode & 0o7777,
    target: kind === "link" ? await target() : "",
  };
}

class Reading implements LogReading {
  readonly #sink: FileSink;
  readonly #buffer = Buffer.allocUnsafe(pieceBytes);
  #file: fs.FileHandle | undefined;
  #at: number;
  #end: number;
  #size = 0;
  #identity = "";
  #hasTold = false;
  #isReading = true;
  #isOver = false;

  constructor(root: string, path: string, offset: number, length: number, sink: FileSink) {
    this.#sink = sink;
    this.#at = offset;
    this.#end = length === 0 ? Number.POSITIVE_INFINITY : offset + length;
    this.#open(root, path).then(
      () => {
        this.#isReading = false;
        this.drained();
      },
      (error: unknown) => this.#finish(known(error)),
    );
  }

  drained(): void {
    if (this.#isReading || this.#isOver) return;
    this.#isReading = true;
    this.#readOn().then(
      (isDone) => {
        this.#isReading = false;
        if (isDone) this.#finish();
        else if (this.#isOver) this.#close();
        else if (this.#sink.ready()) this.drained();
      },
      (error: unknown) => this.#finish(known(error)),
    );
  }

  cancel(): void {
    this.#isOver = true;
    if (!this.#isReading) this.#close();
  }

  async #open(root: string, path: string): Promise<void> {
    const names = namesOf(path);
    if (names instanceof MusterError) throw names;
    const found = await walk(root, names);
    try {
      const { stats } = found;
      if (stats.isDirectory()) throw invalid("path", `${path || "/"} is a folder`);
      if (stats.isSymbolicLink()) throw invalid("path", `${path} is a link; links are not followed`);
      if (!stats.isFile()) throw invalid("path", `${path} is no ordinary file`);
      const owner = (await fs.stat(root)).uid;
      // Where the kernel lets anybody make a second name for any file, it may be one of the host's.
      if (stats.nlink > 1 && stats.uid !== owner)
        throw new MusterError("forbidden", `${path} has several names and belongs to another account`);
      this.#file = await fs.open(heldPath(found.handle), constants.O_RDONLY);
      this.#size = stats.size;
      this.#end = Math.min(this.#end, stats.size);
      this.#identity = `${stats.dev}-${stats.ino}-${Math.floor(stats.birthtimeMs)}`;
    } finally {
      await found.handle.close();
    }
  }

  /** True at the end. */
  async #readOn(): Promise<boolean> {
    const file = this.#file;
    if (!file) return true;
    while (this.#at < this.#end && !this.#isOver) {
      if (!this.#sink.ready()) return false;
      const { bytesRead } = await file.read(this.#buffer, 0, Math.min(pieceBytes, this.#end - this.#at), this.#at);
      if (bytesRead === 0) break;
      this.#at += bytesRead;
      this.#tell(Buffer.from(this.#buffer.subarray(0, bytesRead)));
    }
    if (!this.#hasTold) this.#tell(Buffer.alloc(0));
    return true;
  }

  #tell(bytes: Buffer): void {
    if (this.#isOver) return;
    this.#hasTold = true;
    this.#sink.data(bytes, this.#size, this.#identity);
  }

  #finish(error?: MusterError): void {
    const wasOver = this.#isOver;
    this.#isOver = true;
    this.#close();
    if (!wasOver) this.#sink.end(error);
  }

  #close(): void {
    const file = this.#file;
    this.#file = undefined;
    void file?.close();
  }
}

export function known(error: unknown): MusterError {
  if (error instanceof MusterError) return error;
  const { code, message } = error as NodeJS.ErrnoException;
  if (code === "ENOTDIR") return notAFolder("it");
  if (code === "EACCES") return new MusterError("forbidden", "the agent may not read it", { cause: error });
  return new MusterError("internal", `it could not be read: ${message}`, { cause: error });
}

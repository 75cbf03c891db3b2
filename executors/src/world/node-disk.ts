import { promises as fs, mkdirSync, statSync, unlinkSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import type { Log } from "@muster/foundation";
import type { Disk, DiskFailure, DiskFile, DiskWrite } from "./disk.ts";

/** Space that is kept free for recording how tasks end on a full disk. */
export const ballastBytes = 1024 * 1024;
/** Files that are written at the same time. */
const parallelWritesMax = 4;

/**
 * Files below `folder`. A put is a new file, synced, then renamed over the old one; folders are synced once per commit,
 * however many of their files changed.
 */
export function nodeDisk(folder: string, log: Log): Disk {
  let commitCount = 0;
  mkdirSync(join(folder, "meta"), { recursive: true, mode: 0o711 });
  mkdirSync(join(folder, "tasks"), { recursive: true, mode: 0o711 });
  makeBallast(folder, log);
  return {
    readAll: (done) => {
      readRecords(folder).then(
        (files) => done(files, undefined),
        (error) => done([], failureOf(error)),
      );
    },
    commit: (writes, done) => {
      commit(folder, writes, ++commitCount).then(
        () => done(undefined),
        (error) => done(failureOf(error)),
      );
    },
    space: (done) => {
      fs.statfs(folder).then(
        ({ bsize, blocks, bavail }) => done({ totalBytes: bsize * blocks, freeBytes: bsize * bavail }),
        () => done({ totalBytes: 0, freeBytes: 0 }),
      );
    },
    releaseBallast: () => {
      try {
        unlinkSync(join(folder, "meta", "ballast"));
        return true;
      } catch {
        return false;
      }
    },
  };
}

function failureOf(error: unknown): DiskFailure {
  const { code, message } = error as NodeJS.ErrnoException;
  return { kind: code === "ENOSPC" || code === "EDQUOT" ? "full" : "broken", message };
}

function makeBallast(folder: string, log: Log): void {
  const path = join(folder, "meta", "ballast");
  try {
    if (statSync(path, { throwIfNoEntry: false })?.size === ballastBytes) return;
    // Not zeros: a file system that compresses would keep no space for them.
    const bytes = Buffer.alloc(ballastBytes);
    for (let i = 0; i < bytes.length; i += 4) bytes.writeUInt32LE(Math.imul(i, 2654435761) >>> 0, i);
    writeFileSync(path, bytes);
  } catch (error) {
    log.warn({ error }, "no ballast could be made: on a full disk the end of a task may go unrecorded");
  }
}

async function readRecords(folder: string): Promise<DiskFile[]> {
  const files: DiskFile[] = [];
  const read = async (path: string): Promise<void> => {
    const bytes = await fs.readFile(join(folder, path)).catch((error: NodeJS.ErrnoException) => {
      if (error.code === "ENOENT" || error.code === "EISDIR") return undefined;
      throw error;
    });
    if (bytes) files.push({ path, bytes });
  };
  for (const name of ["agent", "agent.copy", "epoch", "set-aside"]) await read(`meta/${name}`);
  for (const key of await fs.readdir(join(folder, "tasks"))) {
    const names: string[] = await fs.readdir(join(folder, "tasks", key)).catch(() => []);
    if (names.includes("intent")) await read(`tasks/${key}/intent`);
    for (const name of names) if (/^\d+$/.test(name)) await read(`tasks/${key}/${name}/state`);
  }
  return files;
}

async function commit(folder: string, writes: readonly DiskWrite[], count: number): Promise<void> {
  const temporary = (path: string): string => join(folder, `${path}.new-${process.pid}-${count}`);
  const folders = new Set<string>();
  const puts = writes.filter((write) => write.type === "put");
  // A folder that is made for this commit is durable only if the one above it is synced, too.
  for (const { path } of puts) await makeFolders(folder, dirname(path), folders);
  let next = 0;
  const worker = async (): Promise<void> => {
    for (let put = puts[next++]; put; put = puts[next++]) await writeSynced(temporary(put.path), put.bytes);
  };
  await Promise.all(Array.from({ length: Math.min(parallelWritesMax, puts.length) }, worker));
  for (const write of writes) {
    const path = join(folder, write.path);
    folders.add(dirname(path));
    if (write.type === "put") await fs.rename(temporary(write.path), path);
    else if (write.type === "delete") await fs.rm(path, { force: true });
    else await quarantine(folder, write.path, count, folders);
  }
  for (const path of folders) await syncFolder(path);
}

async function makeFolders(root: string, relative: string, changed: Set<string>): Promise<void> {
  const first = await fs.mkdir(join(root, relative), { recursive: true, mode: 0o711 });
  if (first === undefined) return;
  for (let path = join(root, relative); path.length >= first.length; path = dirname(path)) changed.add(dirname(path));
}

async function writeSynced(path: string, bytes: Uint8Array): Promise<void> {
  const file = await fs.open(path, "wx", 0o600);
  try {
    await file.writeFile(bytes);
    await file.sync();
  } finally {
    await file.close();
  }
}

async function quarantine(folder: string, path: string, count: number, changed: Set<string>): Promise<void> {
  const target = join(folder, "quarantine");
  await fs.mkdir(target, { recursive: true, mode: 0o700 });
  changed.add(target).add(folder);
  const name = `${path.replaceAll("/", "_")}-${process.pid}-${count}`;
  await fs.rename(join(folder, path), join(target, name)).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== "ENOENT") throw error;
  });
}

async function syncFolder(path: string): Promise<void> {
  const file = await fs.open(path, "r").catch((error: NodeJS.ErrnoException) => {
    // Deleted with its parent: nothing is left to be made durable.
    if (error.code === "ENOENT") return undefined;
    throw error;
  });
  if (!file) return;
  try {
    await file.sync();
  } finally {
    await file.close();
  }
}

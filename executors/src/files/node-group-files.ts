import { promises as fs } from "node:fs";
import { dirname } from "node:path";
import type { FolderMove, GroupFiles } from "../world/group-files.ts";
import { NodeFilesArrival } from "./files-arrival.ts";
import { folderMode } from "./folder-mode.ts";
import { LeftFiles } from "./left-files.ts";

/** The folders of groups on this host's disk, which lie on one file system. */
export function nodeGroupFiles(): GroupFiles {
  return {
    take(moves, done) {
      takeAll(moves).then(
        () => done(undefined),
        (error: Error) => done(error.message),
      );
    },
    read: (folders) => new LeftFiles(folders),
    receive: (wish) => new NodeFilesArrival(wish),
  };
}

async function takeAll(moves: readonly FolderMove[]): Promise<void> {
  for (const { from, to } of moves) {
    const found = await fs.lstat(from).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== "ENOENT" && error.code !== "ENOTDIR") throw error;
    });
    if (!found) continue;
    // The folder was the task's own: it may have put something else in its place.
    if (!found.isDirectory()) throw new Error(`${from} is no folder; links are not followed`);
    await fs.mkdir(dirname(to), { recursive: true, mode: folderMode });
    await fs.rename(from, to);
  }
}

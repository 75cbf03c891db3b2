import { type Dirent, promises as fs } from "node:fs";
import { join } from "node:path";

/** Files and folders that one look goes through; of a task with more of them what was found by then counts. */
export const entriesMax = 200_000;
/** As `stat` counts them. */
const blockBytes = 512;

export interface FolderUse {
  usedBytes: number;
  entries: number;
  largest: string;
  largestBytes: number;
}

/** Places of a task, with what it calls them. */
export type Place = readonly [folder: string, inside: string];

/**
 * What is written to the disk below these folders, each file once, and which is the largest. It does not leave the disk,
 * follows no links, and takes what vanishes meanwhile as gone. O(files), 20 µs each.
 */
export async function folderUse(places: readonly Place[]): Promise<FolderUse> {
  const use: FolderUse = { usedBytes: 0, entries: 0, largest: "", largestBytes: 0 };
  const seen = new Set<number>();
  for (const [folder, inside] of places) {
    const top = await fs.lstat(folder).catch(() => undefined);
    if (top?.isDirectory()) await walk(folder, inside, top.dev, use, seen);
  }
  return use;
}

async function walk(folder: string, inside: string, device: number, use: FolderUse, seen: Set<number>): Promise<void> {
  const open: [string, string][] = [[folder, inside]];
  for (let place = open.pop(); place && use.entries < entriesMax; place = open.pop()) {
    const [path, name] = place;
    const found: Dirent[] = await fs.readdir(path, { withFileTypes: true }).catch(() => []);
    for (const entry of found) {
      if (++use.entries > entriesMax) return;
      const stat = await fs.lstat(join(path, entry.name)).catch(() => undefined);
      if (!stat || stat.dev !== device) continue;
      const entryName = join(name, entry.name);
      if (stat.isDirectory()) open.push([join(path, entry.name), entryName]);
      if (stat.nlink > 1 && !stat.isDirectory()) {
        if (seen.has(stat.ino)) continue;
        seen.add(stat.ino);
      }
      const bytes = stat.blocks * blockBytes;
      use.usedBytes += bytes;
      if (stat.isFile() && bytes > use.largestBytes) {
        use.largest = entryName;
        use.largestBytes = bytes;
      }
    }
  }
}

import { constants, promises as fs } from "node:fs";
import type { Place } from "./destination.ts";

export interface Owner {
  readonly uid: number;
  readonly gid: number;
}

/** What lies at a destination, or above it, stands in the way. */
export class DestinationFailure extends Error {}

const folderFlags = constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW;

/**
 * Moves what was fetched to its place: a folder's files are put among those that are there, each whole at once. Tasks of
 * the group may exchange names meanwhile as they like: every name is looked up in a folder that is held, and no link is
 * followed. `fileName` of a file that goes into the folder of that place; undefined: what is fetched is a folder, or becomes
 * the place itself (`isPlaceItself`).
 */
export async function install(
  fetched: string,
  place: Place,
  fileName: string | undefined,
  isPlaceItself: boolean,
  owner: Owner | undefined,
): Promise<void> {
  if (owner) await give(fetched, owner);
  if (fileName === undefined) {
    const from = await fs.open(fetched, folderFlags);
    const into = await enter(place.root, place.names, owner);
    try {
      await merge(from, into, place.names.join("/"));
    } finally {
      await from.close();
      await into.close();
    }
    return;
  }
  const names = isPlaceItself ? place.names : [...place.names, fileName];
  const name = names.at(-1);
  if (name === undefined) throw new DestinationFailure("destination: with mode file it names the file");
  const into = await enter(place.root, names.slice(0, -1), owner);
  try {
    await put(fetched, into, name, names.join("/"));
  } finally {
    await into.close();
  }
}

function held(folder: fs.FileHandle): string {
  return `/proc/self/fd/${folder.fd}`;
}

/** Goes to a folder, and makes what is missing on the way. */
async function enter(root: string, names: readonly string[], owner: Owner | undefined): Promise<fs.FileHandle> {
  let folder = await fs.open(root, folderFlags);
  try {
    for (const [at, name] of names.entries()) {
      const path = `${held(folder)}/${name}`;
      const isNew = await fs.mkdir(path, 0o755).then(
        () => true,
        (error: NodeJS.ErrnoException) => {
          if (error.code !== "EEXIST") throw error;
          return false;
        },
      );
      const next = await fs.open(path, folderFlags).catch((error: NodeJS.ErrnoException) => {
        if (error.code !== "ENOTDIR" && error.code !== "ELOOP") throw error;
        const shown = names.slice(0, at + 1).join("/");
        throw new DestinationFailure(`destination: ${shown} is no folder; links are not followed`);
      });
      if (isNew && owner) await next.chown(owner.uid, owner.gid);
      await folder.close();
      folder = next;
    }
    return folder;
  } catch (error) {
    await folder.close();
    throw error;
  }
}

async function merge(from: fs.FileHandle, into: fs.FileHandle, shown: string): Promise<void> {
  for (const name of await fs.readdir(held(from))) {
    const path = `${held(from)}/${name}`;
    const there = `${held(into)}/${name}`;
    const [own, other] = await Promise.all([fs.lstat(path), fs.lstat(there).catch(() => undefined)]);
    if (!own.isDirectory() || !other?.isDirectory()) {
      await put(path, into, name, `${shown}/${name}`);
      continue;
    }
    const inner = await fs.open(path, folderFlags);
    const innerThere = await fs.open(there, folderFlags);
    try {
      await merge(inner, innerThere, `${shown}/${name}`);
    } finally {
      await inner.close();
      await innerThere.close();
    }
  }
}

async function put(path: string, into: fs.FileHandle, name: string, shown: string): Promise<void> {
  const there = `${held(into)}/${name}`;
  const other = await fs.lstat(there).catch(() => undefined);
  const isFolder = (await fs.lstat(path)).isDirectory();
  if (other?.isDirectory() && !isFolder) throw new DestinationFailure(`destination: ${shown} is a folder already`);
  if (other && isFolder && !other.isDirectory()) await fs.rm(there);
  await fs.rename(path, there);
}

/** From above down: whoever owned a folder can exchange nothing in it any more once what is in it is looked at. */
async function give(path: string, owner: Owner): Promise<void> {
  await fs.lchown(path, owner.uid, owner.gid);
  const folder = await fs.open(path, folderFlags).catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOTDIR" || error.code === "ELOOP") return undefined;
    throw error;
  });
  if (!folder) return;
  try {
    for (const name of await fs.readdir(held(folder))) await give(`${held(folder)}/${name}`, owner);
  } finally {
    await folder.close();
  }
}

import { constants, promises as fs } from "node:fs";
import { FetchFailure } from "./fetch-failure.ts";

/**
 * Opens a file or folder of the host, if it lies below one of the folders that are allowed: links count as what they lead
 * to. What is held is what was checked.
 */
export async function openHostPath(path: string, folders: readonly string[]): Promise<fs.FileHandle> {
  if (folders.length === 0)
    throw new FetchFailure(
      `${path}: no source may be a file of this agent; its operator can allow folders with --artifact-folders`,
    );
  const handle = await fs
    .open(path, constants.O_RDONLY | constants.O_NONBLOCK)
    .catch((error: NodeJS.ErrnoException) => {
      throw new FetchFailure(textOf(path, error));
    });
  try {
    const found = await fs.readlink(`/proc/self/fd/${handle.fd}`);
    const allowed = await Promise.all(folders.map((folder) => fs.realpath(folder).catch(() => undefined)));
    const isAllowed = allowed.some((folder) => folder !== undefined && isWithin(found, folder));
    if (!isAllowed)
      throw new FetchFailure(
        `${path} is in none of the folders that the agent's operator allows: ${folders.join(", ")}`,
      );
    return handle;
  } catch (error) {
    await handle.close();
    throw error;
  }
}

function isWithin(path: string, folder: string): boolean {
  return path === folder || path.startsWith(folder === "/" ? "/" : `${folder}/`);
}

function textOf(path: string, { code, message }: NodeJS.ErrnoException): string {
  if (code === "ENOENT") return `${path} does not exist on this agent`;
  if (code === "EACCES") return `${path} may not be read by everybody on this agent: chmod o+r it, and its folders o+x`;
  return message;
}

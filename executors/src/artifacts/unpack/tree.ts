import { promises as fs } from "node:fs";
import { join } from "node:path";
import { FetchFailure } from "../fetcher/fetch-failure.ts";
import type { ArtifactLimits } from "../limits.ts";

/**
 * Makes sure of what a task is to be given: files, folders and links alone, no more than the limits say, and no link that
 * leads out. A link may go up first and then down, not up again: so it stays within even where it leads through others.
 */
export async function checkTree(
  root: string,
  limits: Pick<ArtifactLimits, "unpackedBytesMax" | "unpackedFilesMax">,
): Promise<void> {
  let count = 0;
  let bytes = 0;
  const look = async (path: string, depth: number): Promise<void> => {
    if (++count > limits.unpackedFilesMax)
      throw new FetchFailure(`it holds more than ${limits.unpackedFilesMax} files (unpacked_files_max)`);
    const stats = await fs.lstat(path);
    const shown = path.slice(root.length + 1) || "it";
    if (stats.isSymbolicLink()) {
      if (!staysWithin(await fs.readlink(path), depth))
        throw new FetchFailure(`"${shown}" is a link that leads out of the artifact, or could`);
    } else if (stats.isDirectory()) {
      for (const name of await fs.readdir(path)) await look(join(path, name), depth + 1);
    } else if (!stats.isFile()) throw new FetchFailure(`"${shown}" is a device or a pipe`);
    else {
      if ((stats.mode & 0o6000) !== 0) throw new FetchFailure(`"${shown}" would run with the rights of another`);
      bytes += stats.size;
      if (bytes > limits.unpackedBytesMax)
        throw new FetchFailure(`it has more than ${limits.unpackedBytesMax} bytes (unpacked_bytes_max)`);
    }
  };
  await look(root, 0);
}

/** Of a link so many folders deep, 1 in the uppermost. Pure. */
export function staysWithin(target: string, depth: number): boolean {
  if (target === "" || target.startsWith("/")) return false;
  const names = target.split("/").filter((name) => name !== "" && name !== ".");
  const up = names.findIndex((name) => name !== "..");
  const ups = up < 0 ? names.length : up;
  return ups < depth && !names.slice(ups).includes("..");
}

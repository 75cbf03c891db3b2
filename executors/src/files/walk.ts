import { constants, promises as fs, type Stats } from "node:fs";
import { invalid, MusterError } from "@muster/foundation";

/** Bytes of a path, and names in it. */
export const pathBytesMax = 4_096;
export const pathNamesMax = 100;
/** The folder of a task's secrets, within the task's own. */
const secretsName = "secrets";
/** Of Linux; Node has no name for it. The file is found, not opened: no device wakes, no pipe waits. */
const O_PATH = 0o10000000;

/** A file or folder of a task, found and held. Whoever has it closes it. */
export interface Found {
  readonly handle: fs.FileHandle;
  readonly stats: Stats;
}

/** The names of a path, from the task's folder on. */
export function namesOf(path: string): string[] | MusterError {
  if (Buffer.byteLength(path) > pathBytesMax) return invalid("path", `at most ${pathBytesMax} bytes`);
  if (path.includes("\0")) return invalid("path", "holds a zero byte");
  const names = path.split("/").filter((name) => name !== "" && name !== ".");
  if (names.includes("..")) return invalid("path", '".." leads out of the task\'s folder');
  if (names.length > pathNamesMax) return invalid("path", `at most ${pathNamesMax} folders within each other`);
  if (names[0] === secretsName) return new MusterError("forbidden", "the secrets of a task are not shown");
  return names;
}

export function isHidden(names: readonly string[], name: string): boolean {
  return names.length === 0 && name === secretsName;
}

/**
 * Goes from the task's folder to a file by one name at a time, each looked up in the folder that is already held, and
 * never through a link. So a task can exchange names for links as it likes: what is held is what was checked. Throws a
 * MusterError.
 */
export async function walk(root: string, names: readonly string[]): Promise<Found> {
  let handle = await hold(root, "", "");
  try {
    const rootPath = await fs.realpath(heldPath(handle));
    for (const [index, name] of names.entries()) {
      const next = await hold(heldPath(handle), name, names.slice(0, index + 1).join("/"));
      await handle.close();
      handle = next;
    }
    const stats = await handle.stat();
    const path = await fs.readlink(heldPath(handle));
    // A folder that was moved away while it was walked through leads elsewhere.
    if (path !== rootPath && !path.startsWith(`${rootPath}/`))
      throw new MusterError("forbidden", `${names.join("/")} is not in the task's folder any more`);
    return { handle, stats };
  } catch (error) {
    await handle.close();
    throw error;
  }
}

/** Where the kernel shows what a handle holds, under no name that anybody could exchange. */
export function heldPath(handle: fs.FileHandle): string {
  return `/proc/self/fd/${handle.fd}`;
}

async function hold(folder: string, name: string, shown: string): Promise<fs.FileHandle> {
  try {
    // Of a held folder the path ends in "/name": only that last name is looked up, and not followed if it is a link.
    return await fs.open(name === "" ? folder : `${folder}/${name}`, O_PATH | constants.O_NOFOLLOW);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "ENOENT" || code === "ENAMETOOLONG")
      throw new MusterError("not-found", name === "" ? "the task has no folder any more" : `no file ${shown}`);
    // What was walked through is a file, or a link, which O_PATH holds instead of following it.
    if (code === "ENOTDIR") throw notAFolder(shown.split("/").slice(0, -1).join("/"));
    if (code === "EACCES") throw new MusterError("forbidden", `the agent may not read ${shown}`);
    throw error;
  }
}

export function notAFolder(shown: string): MusterError {
  return new MusterError("invalid", `path: ${shown} is no folder; links are not followed`, { field: "path" });
}

import { copyFileSync, statSync, truncateSync } from "node:fs";

/** Bytes of a component's log; a larger one is kept as `.1` and begun anew. */
export const logBytesMax = 8 * 1024 * 1024;

/**
 * Components write straight into their files, so a file can only be copied and emptied. They append, so what follows
 * begins at the start of the emptied file. A line written between copy and emptying is lost: it is a log.
 */
export function capLogFile(path: string, bytesMax = logBytesMax): boolean {
  const size = statSync(path, { throwIfNoEntry: false })?.size ?? 0;
  if (size <= bytesMax) return false;
  try {
    copyFileSync(path, `${path}.1`);
  } catch {
    // No room for the copy: the lines stay where they are until there is.
    return false;
  }
  truncateSync(path, 0);
  return true;
}

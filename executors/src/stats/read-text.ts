import { promises as fs } from "node:fs";

/** A text of /proc or of a control group; undefined if it is not there. */
export function readText(path: string): Promise<string | undefined> {
  return fs.readFile(path, "latin1").catch(() => undefined);
}

import { usageError } from "../../cli-error.ts";

/** In whose name keys stand in `State`. */
export const framework = "keys";

/** Bytes of a path. */
const pathBytesMax = 512;

/** The path of a key as it is kept: without slashes at its ends, and without two in a row. */
export function keyPath(given: string): string {
  const path = folderPath(given);
  if (path === "") throw usageError(`"${given}" is no path of a key`, "for instance app/color");
  if (Buffer.byteLength(path) > pathBytesMax) throw usageError(`the path has more than ${pathBytesMax} bytes`);
  return path;
}

export function folderPath(given: string): string {
  return given
    .split("/")
    .filter((part) => part !== "")
    .join("/");
}

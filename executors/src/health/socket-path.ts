import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { lstatSync, mkdirSync } from "node:fs";

/** Bytes of a Unix socket's path: Node cuts longer ones off without a word. */
export const socketPathBytesMax = 107;

/**
 * Path of the dialer's socket for one data folder, in a folder that nobody but this account can enter. Data folders
 * themselves may have paths that are too long. Throws if the folder belongs to somebody else.
 */
export function dialerSocketPath(dataFolder: string, environment: NodeJS.ProcessEnv = process.env): string {
  const uid = process.getuid?.() ?? 0;
  const runtime = environment["XDG_RUNTIME_DIR"];
  const folder = runtime ? `${runtime}/muster` : `/tmp/muster-${uid}`;
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const stat = lstatSync(folder);
  if (!stat.isDirectory() || stat.uid !== uid || (stat.mode & 0o077) !== 0)
    throw new Error(`${folder} must be a folder of uid ${uid} that nobody else may enter: remove it`);
  const path = `${folder}/dialer-${createHash("sha256").update(dataFolder).digest("hex").slice(0, 8)}`;
  assert(Buffer.byteLength(path) <= socketPathBytesMax, `${path}: longer than ${socketPathBytesMax} bytes`);
  return path;
}

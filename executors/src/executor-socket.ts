import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { chmodSync, existsSync, lstatSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { type Log, MusterError, serveGrpc } from "@muster/foundation";
import type { Agent } from "./agent/agent.ts";
import { socketPathBytesMax } from "./health/socket-path.ts";

/** Everybody may connect, who has a token may attach: executors run under accounts of their own. */
const socketMode = 0o666;
const folderMode = 0o711;
/** Beside the socket: the data folder of its agent. */
const ownerFile = "owner";

/**
 * Path of the Unix socket at which the custom executors of one agent attach, in a folder of its own: containers are given
 * the folder, so that they see the socket of the agent's next life too. Throws if the folder above belongs to somebody
 * else.
 */
export function executorSocketPath(dataFolder: string, environment: NodeJS.ProcessEnv = process.env): string {
  const uid = process.getuid?.() ?? 0;
  const runtime = environment["XDG_RUNTIME_DIR"];
  // Root's executors may be anybody, and none of them may enter its runtime folder.
  const above = runtime && uid !== 0 ? `${runtime}/muster-executors` : `/tmp/muster-executors-${uid}`;
  mkdirSync(above, { recursive: true, mode: folderMode });
  const stat = lstatSync(above);
  if (!stat.isDirectory() || stat.uid !== uid || (stat.mode & 0o022) !== 0)
    throw new Error(`${above} must be a folder of uid ${uid} that nobody else may write to: remove it`);
  const path = `${above}/${createHash("sha256").update(dataFolder).digest("hex").slice(0, 8)}/agent`;
  assert(Buffer.byteLength(path) <= socketPathBytesMax, `${path}: longer than ${socketPathBytesMax} bytes`);
  return path;
}

export interface ExecutorServer {
  /** "live": the folder stays, since executors in containers look for the next agent in it. */
  close(done: () => void, executors: "live" | "ended"): void;
}

/**
 * Serves the custom executors of the agent of a data folder, at its `executorSocketPath`. Whoever holds the lock of the
 * data folder takes the place of an earlier life.
 */
export function serveExecutors(
  agent: Agent,
  dataFolder: string,
  log: Log,
  listening: (error: MusterError | undefined) => void,
): ExecutorServer {
  const path = executorSocketPath(dataFolder);
  sweepAbandoned(dirname(dirname(path)));
  mkdirSync(dirname(path), { recursive: true, mode: folderMode });
  chmodSync(dirname(path), folderMode);
  writeFileSync(`${dirname(path)}/${ownerFile}`, dataFolder, { mode: 0o600 });
  rmSync(path, { force: true });
  const server = serveGrpc(agent.executorHandlers, {
    address: `unix:${path}`,
    log,
    listening: (result) => {
      if (!(result instanceof MusterError)) chmodSync(path, socketMode);
      listening(result instanceof MusterError ? result : undefined);
    },
  });
  return {
    close: (done, executors) =>
      server.close(() => {
        rmSync(executors === "ended" ? dirname(path) : path, { recursive: true, force: true });
        done();
      }),
  };
}

/** Removes the folders of agents that were killed and whose data folders have been deleted since. */
function sweepAbandoned(above: string): void {
  for (const name of readdirSync(above).filter((entry) => /^[0-9a-f]{8}$/.test(entry))) {
    const owner = ownerOf(`${above}/${name}`);
    if (owner !== undefined && !existsSync(owner)) rmSync(`${above}/${name}`, { recursive: true, force: true });
  }
}

/** Undefined while another agent is making the folder. */
function ownerOf(folder: string): string | undefined {
  try {
    return readFileSync(`${folder}/${ownerFile}`, "utf8") || undefined;
  } catch {
    return undefined;
  }
}

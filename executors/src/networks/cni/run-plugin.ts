import { spawn } from "node:child_process";
import { constants, promises as fs } from "node:fs";
import { join } from "node:path";
import { errorOf } from "./result.ts";

/** Bytes that a plugin may print; one that prints more is killed. Real results have some hundred. */
export const outputBytesMax = 1024 * 1024;
/** Where plugins find iptables and the like, whatever the agent was started with. */
const pathDefault = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/** A plugin has said no. */
export class PluginError extends Error {
  /** As CNI counts them; undefined: it came to no answer. */
  readonly code: number | undefined;

  constructor(message: string, code?: number) {
    super(message);
    this.name = "PluginError";
    this.code = code;
  }
}

/** The program of a plugin; what is wrong if there is none. */
export async function findPlugin(type: string, folders: readonly string[]): Promise<string> {
  for (const folder of folders) {
    const path = join(folder, type);
    const isThere = await fs.access(path, constants.X_OK).then(
      () => true,
      () => false,
    );
    if (isThere) return path;
  }
  throw new PluginError(
    `plugin ${type} was not found in ${folders.join(", ")}: apt-get install containernetworking-plugins, or name its folder with --cni-path`,
  );
}

export interface PluginRun {
  readonly path: string;
  readonly environment: Readonly<Record<string, string>>;
  readonly input: string;
  readonly timeoutMs: number;
}

/**
 * Runs a plugin and gives what it has printed. At its deadline, and when it prints too much, it is killed with all that it has
 * started and that has stayed in its process group; what it has printed by then is dropped.
 */
export function runPlugin({ path, environment, input, timeoutMs }: PluginRun): Promise<string> {
  const what = `${path} ${environment["CNI_COMMAND"] ?? ""}`.trim();
  return new Promise((resolve, reject) => {
    const child = spawn(path, [], {
      stdio: ["pipe", "pipe", "pipe"],
      env: { PATH: process.env["PATH"] ? `${process.env["PATH"]}:${pathDefault}` : pathDefault, ...environment },
      detached: true,
    });
    const output: Buffer[] = [];
    const errors: Buffer[] = [];
    let byteCount = 0;
    const cut = (reason: string): void => {
      clearTimeout(timer);
      // A negative number means its process group, which it leads.
      if (child.pid !== undefined)
        try {
          process.kill(-child.pid, "SIGKILL");
        } catch {
          // It has ended by itself in between.
        }
      for (const stream of [child.stdout, child.stderr, child.stdin]) stream.destroy();
      reject(new PluginError(`${what}: ${reason}`));
    };
    const timer = setTimeout(() => cut(`no end within ${timeoutMs} ms; it was killed`), timeoutMs);
    const keep = (pieces: Buffer[]) => (data: Buffer) => {
      byteCount += data.length;
      if (byteCount > outputBytesMax) cut(`it printed more than ${outputBytesMax} bytes; it was killed`);
      else pieces.push(data);
    };
    child.stdout.on("data", keep(output));
    child.stderr.on("data", keep(errors));
    child.stdin.on("error", () => {});
    child.stdin.end(input);
    child.on("error", (error) => {
      clearTimeout(timer);
      reject(new PluginError(`${what} could not be run: ${error.message}`));
    });
    child.on("close", (code, signal) => {
      clearTimeout(timer);
      const text = Buffer.concat(output).toString("utf8");
      if (code === 0) resolve(text);
      else reject(failure(what, text, Buffer.concat(errors).toString("utf8"), signal ?? `exit code ${code}`));
    });
  });
}

function failure(what: string, output: string, errors: string, end: string): PluginError {
  const told = errorOf(output);
  if (told) return new PluginError(`${what}: ${told.message}`, told.code);
  const last = errors.trim().split("\n").at(-1)?.slice(0, 1_000);
  return new PluginError(`${what}: ${end}${last ? `: ${last}` : ""}`);
}

import { constants, promises as fs } from "node:fs";
import { join } from "node:path";
import { runBounded } from "../../programs/run-bounded.ts";
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
export async function runPlugin({ path, environment, input, timeoutMs }: PluginRun): Promise<string> {
  const what = `${path} ${environment["CNI_COMMAND"] ?? ""}`.trim();
  const deadline = new AbortController();
  const late = new Error(`no end within ${timeoutMs} ms; it was killed`);
  const timer = setTimeout(() => deadline.abort(late), timeoutMs);
  try {
    const { code, signal, output, errors } = await runBounded({
      program: path,
      words: [],
      environment: {
        PATH: process.env["PATH"] ? `${process.env["PATH"]}:${pathDefault}` : pathDefault,
        ...environment,
      },
      input,
      signal: deadline.signal,
      outputBytesMax,
    });
    const text = output.toString("utf8");
    if (code === 0) return text;
    throw failure(what, text, errors, signal || `exit code ${code}`);
  } catch (error) {
    throw error instanceof PluginError ? error : new PluginError(`${what}: ${(error as Error).message}`);
  } finally {
    clearTimeout(timer);
  }
}

function failure(what: string, output: string, errors: string, end: string): PluginError {
  const told = errorOf(output);
  if (told) return new PluginError(`${what}: ${told.message}`, told.code);
  const last = errors.trim().split("\n").at(-1)?.slice(0, 1_000);
  return new PluginError(`${what}: ${end}${last ? `: ${last}` : ""}`);
}

import { createHash } from "node:crypto";
import { realpathSync } from "node:fs";
import { connect, createServer, type Server } from "node:net";
import { CliError } from "../cli-error.ts";
import { exitCode } from "../exit-codes.ts";

/** Who holds a data folder. */
export interface Holder {
  readonly pid: number;
  /** RFC 3339. */
  readonly startedAt: string;
  readonly folder: string;
}

const askTimeoutMs = 1_000;

/** Name in the kernel's abstract space: it goes away with its holder, however that dies, and leaves no file behind. */
export function lockName(folder: string, purpose: string): string {
  const digest = createHash("sha256").update(realpathSync(folder)).digest("hex").slice(0, 32);
  return `\0muster-${purpose}-${digest}`;
}

/** Takes the folder for this process, for one purpose such as "dev" or "agent", or says who has it. */
export async function lockFolder(folder: string, purpose: string): Promise<{ release(): void }> {
  const name = lockName(folder, purpose);
  const holder: Holder = { pid: process.pid, startedAt: new Date().toISOString(), folder: realpathSync(folder) };
  const server = createServer((socket) => {
    socket.on("error", () => {});
    socket.end(JSON.stringify(holder));
  });
  if (await listens(server, name)) {
    server.unref();
    return { release: () => server.close() };
  }
  const other = await askHolder(name);
  const who = other === undefined ? "by another process" : `by pid ${other.pid} since ${other.startedAt}`;
  const stop = other === undefined ? "stop it" : `kill ${other.pid}`;
  const what = purpose === "dev" ? "a cluster" : `${/^[aeiou]/.test(purpose) ? "an" : "a"} ${purpose}`;
  throw new CliError(exitCode.failed, `${folder} is in use ${who}: ${what} runs in it already`, {
    kind: "exists",
    hint:
      purpose === "dev"
        ? `muster job list to use that cluster, ${stop} to end it, or another --data-dir with --port-offset 100`
        : `${stop} to end it, or another --data-dir`,
  });
}

function listens(server: Server, name: string): Promise<boolean> {
  return new Promise((resolve, reject) => {
    server.on("error", (error: NodeJS.ErrnoException) => {
      if (error.code === "EADDRINUSE") resolve(false);
      else reject(error);
    });
    server.listen(name, () => resolve(true));
  });
}

function askHolder(name: string): Promise<Holder | undefined> {
  return new Promise((resolve) => {
    const socket = connect(name);
    let text = "";
    socket.setTimeout(askTimeoutMs, () => socket.destroy());
    socket.on("data", (bytes) => {
      text += bytes.toString("utf8");
    });
    socket.on("error", () => resolve(undefined));
    socket.on("close", () => {
      try {
        resolve(JSON.parse(text) as Holder);
      } catch {
        resolve(undefined);
      }
    });
  });
}

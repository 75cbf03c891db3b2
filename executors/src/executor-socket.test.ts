import { chmodSync, existsSync, mkdirSync, mkdtempSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { silentLog } from "@muster/foundation";
import { expect, test } from "vitest";
import type { Agent } from "./agent/agent.ts";
import { type ExecutorServer, executorSocketPath, serveExecutors } from "./executor-socket.ts";

/** Only what is served counts here: no executor is answered. */
const agent = { executorHandlers: {} } as Agent;

function serve(dataFolder: string): Promise<ExecutorServer> {
  return new Promise((resolve, reject) => {
    const server = serveExecutors(agent, dataFolder, silentLog, (error) => (error ? reject(error) : resolve(server)));
  });
}

test("the socket is for everybody, in a folder that others may pass and not list, with a path short enough", async () => {
  const dataFolder = mkdtempSync(join(tmpdir(), "muster-socket-"));
  const path = executorSocketPath(dataFolder);
  const server = await serve(dataFolder);
  try {
    expect(Buffer.byteLength(path)).toBeLessThanOrEqual(107);
    expect(statSync(path).mode & 0o777).toBe(0o666);
    expect(statSync(dirname(path)).mode & 0o777).toBe(0o711);
  } finally {
    await new Promise<void>((resolve) => server.close(resolve, "ended"));
    rmSync(dataFolder, { recursive: true });
  }
  expect(existsSync(dirname(path))).toBe(false);
});

test("what a killed agent has left is used by the next one, and removed once its data folder is gone", async () => {
  const killed = mkdtempSync(join(tmpdir(), "muster-socket-"));
  const other = mkdtempSync(join(tmpdir(), "muster-socket-"));
  const left = dirname(executorSocketPath(killed));
  const servers: ExecutorServer[] = [];
  try {
    servers.push(await serve(killed));
    // A killed one closes nothing; here it goes on, and its folder is what counts.
    servers.push(await serve(other));
    expect(existsSync(left)).toBe(true);
    rmSync(killed, { recursive: true });
    servers.push(await serve(other));
    expect(existsSync(left)).toBe(false);
  } finally {
    for (const server of servers) await new Promise<void>((resolve) => server.close(resolve, "ended"));
    rmSync(other, { recursive: true });
  }
});

test("a folder above that others may write to is refused by name", () => {
  const runtime = mkdtempSync(join(tmpdir(), "muster-runtime-"));
  try {
    if (process.getuid?.() === 0)
      return expect(executorSocketPath("/x", { XDG_RUNTIME_DIR: runtime })).toMatch(/^\/tmp\//);
    mkdirSync(`${runtime}/muster-executors`);
    chmodSync(`${runtime}/muster-executors`, 0o777);
    expect(() => executorSocketPath("/x", { XDG_RUNTIME_DIR: runtime })).toThrow("nobody else may write to");
  } finally {
    rmSync(runtime, { recursive: true });
  }
  return undefined;
});

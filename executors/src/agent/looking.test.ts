import { linkSync, mkdirSync, readdirSync, renameSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { emptyMessage, type HandlerOf, type MusterError, type Outlet, type Peer } from "@muster/foundation";
import { type FileEntry, type ReadFileResponse, type StatsResponse, TaskState } from "@muster/proto";
import { afterEach, beforeEach, expect, test } from "vitest";
import type { Agent } from "./agent.ts";
import { AgentFixture } from "./agent-fixture.test.support.ts";

let afterSwapping = (): void => {};
afterEach(() => afterSwapping());
const fixture = AgentFixture.use(beforeEach, afterEach);
const peer: Peer = { address: "127.0.0.1", principal: "local" };

/** An agent with a task that runs, and the task's folder. */
async function running(script: string): Promise<{ agent: Agent; folder: string }> {
  const agent = await fixture.agent();
  fixture.master.launch({ taskId: "host", spec: { command: "sh", arguments: ["-c", script] } });
  await fixture.master.untilState("host", TaskState.TASK_RUNNING);
  const key = readdirSync(join(fixture.dataFolder, "tasks"))[0] ?? "";
  return { agent, folder: join(fixture.dataFolder, "tasks", key, "0", "work") };
}

function list(agent: Agent, path = "", after = ""): Promise<FileEntry[]> {
  const handler = agent.handlers["Tasks.ListFiles"] as HandlerOf<"Tasks.ListFiles">;
  return new Promise((resolve, reject) => {
    handler({ ...emptyMessage("ListFilesRequest"), taskId: "host", path, after }, peer, (result) =>
      result.ok ? resolve(result.value.files) : reject(result.error),
    );
  });
}

function read(agent: Agent, path: string, offset = 0, length = 0): Promise<string> {
  const handler = agent.handlers["Tasks.ReadFile"] as HandlerOf<"Tasks.ReadFile">;
  const pieces: Buffer[] = [];
  return new Promise((resolve, reject) => {
    const outlet: Outlet<ReadFileResponse> = {
      send: ({ data }) => pieces.push(Buffer.from(data)),
      ready: () => true,
      end: (error?: MusterError) => (error ? reject(error) : resolve(Buffer.concat(pieces).toString())),
    };
    handler({ ...emptyMessage("ReadFileRequest"), taskId: "host", path, offset, length }, outlet, peer);
  });
}

test("a task's folder is listed and read, without its secrets", async () => {
  const { agent, folder } = await running("sleep 300");
  mkdirSync(join(folder, "data/deep"), { recursive: true });
  writeFileSync(join(folder, "data/a.txt"), "0123456789", { mode: 0o640 });
  writeFileSync(join(folder, "empty"), "");
  symlinkSync("/etc/passwd", join(folder, "data/outside"));
  writeFileSync(join(folder, "secrets/token"), "secret");
  expect((await list(agent)).map(({ name, kind }) => `${name} ${kind}`)).toEqual([
    "data folder",
    "empty file",
    "local folder",
  ]);
  const data = await list(agent, "/data/");
  expect(data.map(({ name, kind, target }) => [name, kind, target])).toEqual([
    ["a.txt", "file", ""],
    ["deep", "folder", ""],
    ["outside", "link", "/etc/passwd"],
  ]);
  expect(data[0]).toMatchObject({ sizeBytes: 10, mode: 0o640 });
  expect((await list(agent, "data", "a.txt")).map(({ name }) => name)).toEqual(["deep", "outside"]);
  expect((await list(agent, "data/outside")).map(({ name, target }) => `${name} ${target}`)).toEqual([
    "outside /etc/passwd",
  ]);
  expect(await read(agent, "data/a.txt")).toBe("0123456789");
  expect(await read(agent, "./data//a.txt", 3, 4)).toBe("3456");
  expect(await read(agent, "empty")).toBe("");
  expect(await read(agent, "empty", 100)).toBe("");
});

test("what leads out of a task's folder, into its secrets or to no ordinary file is refused with its reason", async () => {
  const { agent, folder } = await running("mkfifo pipe; sleep 300");
  symlinkSync("/etc", join(folder, "etc"));
  symlinkSync("/etc/passwd", join(folder, "passwd"));
  symlinkSync("secrets", join(folder, "indirect"));
  writeFileSync(join(folder, "secrets/token"), "secret");
  await expect(read(agent, "../../../etc/passwd")).rejects.toMatchObject({ kind: "invalid", field: "path" });
  await expect(read(agent, "local/../secrets/token")).rejects.toMatchObject({ kind: "invalid" });
  for (const path of ["secrets/token", "/secrets", "./secrets/token"])
    await expect(list(agent, path)).rejects.toMatchObject({ kind: "forbidden" });
  for (const path of ["etc/passwd", "passwd", "indirect/token"])
    await expect(read(agent, path)).rejects.toThrow("links are not followed");
  await expect(list(agent, "etc/ssl")).rejects.toThrow("links are not followed");
  await expect(read(agent, "local")).rejects.toThrow("local is a folder");
  await expect(read(agent, "nothing")).rejects.toMatchObject({ kind: "not-found" });
  await expect(read(agent, "x\0y")).rejects.toMatchObject({ kind: "invalid" });
  await expect(read(agent, "a/".repeat(200))).rejects.toMatchObject({ kind: "invalid" });
  // A pipe that nobody writes to must not hold anybody up.
  while (!readdirSync(folder).includes("pipe")) await new Promise((resolve) => setTimeout(resolve, 10));
  await expect(read(agent, "pipe")).rejects.toThrow("no ordinary file");
});

test("a folder that becomes a link again and again while it is read never shows what the link points to", async () => {
  const { agent, folder } = await running("sleep 300");
  const outside = join(fixture.dataFolder, "outside");
  mkdirSync(outside);
  writeFileSync(join(outside, "file"), "outside");
  mkdirSync(join(folder, "real"));
  writeFileSync(join(folder, "real/file"), "inside");
  symlinkSync(outside, join(folder, "link"));
  // rename(2) exchanges in one step what the name stands for.
  let isSwapping = true;
  let swaps = 0;
  afterSwapping = () => {
    isSwapping = false;
  };
  const swap = (): void => {
    for (let i = 0; i < 20 && isSwapping; i++) {
      renameSync(join(folder, "real"), join(folder, "data"));
      renameSync(join(folder, "data"), join(folder, "real"));
      renameSync(join(folder, "link"), join(folder, "data"));
      renameSync(join(folder, "data"), join(folder, "link"));
      swaps++;
    }
    if (isSwapping) setImmediate(swap);
  };
  swap();
  const seen = new Map<string, number>();
  for (let i = 0; i < 200; i++) {
    const text = await read(agent, "data/file").catch((error: MusterError) => error.kind);
    seen.set(text, (seen.get(text) ?? 0) + 1);
    const names = await list(agent, "data").then(
      (files) => files.map(({ kind }) => kind).join(),
      (error: MusterError) => (error.kind === "internal" ? error.message : error.kind),
    );
    expect(["file", "folder", "link", "not-found", "", "invalid", "forbidden"]).toContain(names);
  }
  afterSwapping();
  expect(swaps).toBeGreaterThan(50);
  expect(seen.has("outside")).toBe(false);
});

test.runIf(process.getuid?.() === 0)("a second name of a host's file is not shown", async () => {
  const { agent, folder } = await running("sleep 300");
  const host = join(fixture.dataFolder, "host-file");
  writeFileSync(host, "of the host");
  const { chownSync } = await import("node:fs");
  chownSync(host, 12_345, 12_345);
  linkSync(host, join(folder, "mine"));
  await expect(read(agent, "mine")).rejects.toMatchObject({ kind: "forbidden" });
  rmSync(host);
});

function stats(agent: Agent): Promise<StatsResponse> {
  const handler = agent.handlers["Tasks.Stats"] as HandlerOf<"Tasks.Stats">;
  return new Promise((resolve, reject) => {
    handler({ ...emptyMessage("StatsRequest"), taskId: "host" }, peer, (result) =>
      result.ok ? resolve(result.value) : reject(result.error),
    );
  });
}

test("what a task uses is measured over all its processes, also those that have left their parents", async () => {
  const script = "(setsid sleep 301 &); sleep 302 & exec perl -e '$x = q(x) x 50_000_000; 1 while 1'";
  const { agent } = await running(script);
  let use = await stats(agent);
  for (const untilMs = Date.now() + 10_000; use.memoryBytes < 50_000_000 && Date.now() < untilMs; )
    use = await stats(agent);
  expect(use.processCount).toBe(3);
  expect(use.memoryBytes).toBeGreaterThan(50_000_000);
  expect(use.memoryBytes).toBeLessThan(150_000_000);
  expect(use.memorySource).toBe("pss");
  expect(use.windowMs).toBeGreaterThanOrEqual(500);
  // It takes what it gets of one core, however busy the machine is.
  expect(use.cpuMillis).toBeGreaterThan(50);
  expect(use.cpuMillis).toBeLessThan(1_200);
  fixture.master.kill("host", 100);
  await fixture.master.untilState("host", TaskState.TASK_KILLED);
  await expect(stats(agent)).rejects.toMatchObject({ kind: "wrong-state" });
});

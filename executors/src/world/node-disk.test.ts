import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { silentLog } from "@muster/foundation";
import { afterEach, beforeEach, expect, test } from "vitest";
import type { Disk, DiskFailure, DiskFile, DiskWrite } from "./disk.ts";
import { ballastBytes, nodeDisk } from "./node-disk.ts";

let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "muster-disk-"));
});

afterEach(() => rmSync(folder, { recursive: true, force: true }));

function commit(disk: Disk, writes: DiskWrite[]): Promise<DiskFailure | undefined> {
  return new Promise((resolve) => disk.commit(writes, resolve));
}

function readAll(disk: Disk): Promise<readonly DiskFile[]> {
  return new Promise((resolve) => disk.readAll(resolve));
}

function put(path: string, text: string): DiskWrite {
  return { type: "put", path, bytes: Buffer.from(text) };
}

test("what was committed is read by the next life, and nothing else is", async () => {
  const disk = nodeDisk(folder, silentLog);
  const writes = [put("meta/agent", "a"), put("tasks/g-1/intent", "b"), put("tasks/g-1/0/state", "c")];
  expect(await commit(disk, writes)).toBeUndefined();
  expect(await commit(disk, [put("tasks/g-1/0/state", "d"), put("tasks/g-2/intent", "e")])).toBeUndefined();
  expect(await commit(disk, [{ type: "delete", path: "tasks/g-2/intent" }])).toBeUndefined();
  // As left behind by a crash between write and rename.
  writeFileSync(join(folder, "tasks/g-1/0/state.new-1-1"), "torn");
  const files = await readAll(nodeDisk(folder, silentLog));
  expect(files.map(({ path, bytes }) => [path, Buffer.from(bytes).toString()])).toEqual([
    ["meta/agent", "a"],
    ["tasks/g-1/intent", "b"],
    ["tasks/g-1/0/state", "d"],
  ]);
});

test("a damaged file is kept in quarantine under a name that tells where it came from", async () => {
  const disk = nodeDisk(folder, silentLog);
  await commit(disk, [put("tasks/g-1/intent", "bad")]);
  await commit(disk, [{ type: "quarantine", path: "tasks/g-1/intent" }]);
  const [name = ""] = readdirSync(join(folder, "quarantine"));
  expect(name).toMatch(/^tasks_g-1_intent-/);
  expect(readFileSync(join(folder, "quarantine", name), "utf8")).toBe("bad");
  expect(await readAll(disk)).toEqual([]);
});

test("the ballast is there from the start, is given back once, and is made anew by the next life", () => {
  const disk = nodeDisk(folder, silentLog);
  expect(readFileSync(join(folder, "meta/ballast"))).toHaveLength(ballastBytes);
  expect([disk.releaseBallast(), disk.releaseBallast()]).toEqual([true, false]);
  expect(nodeDisk(folder, silentLog).releaseBallast()).toBe(true);
});

test("a write that fails is told, and leaves the old record as it was", async () => {
  const disk = nodeDisk(folder, silentLog);
  await commit(disk, [put("meta/agent", "old")]);
  // A folder stands where the record of another task would be.
  await commit(disk, [put("tasks/g-1/0/state/inner", "x")]);
  const failure = await commit(disk, [put("tasks/g-1/0/state", "y"), put("meta/agent", "new")]);
  expect(failure?.kind).toBe("broken");
  expect(readFileSync(join(folder, "meta/agent"), "utf8")).toBe("old");
});

import { linkSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { folderUse } from "./folder-use.ts";
import { nodeDiskMeter } from "./node-disk-meter.ts";

const mebibyte = 1024 * 1024;
let folder = "";
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "muster-disk-"));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

test("what is on the disk counts, once: links and holes take nothing", async () => {
  mkdirSync(join(folder, "a/b"), { recursive: true });
  writeFileSync(join(folder, "a/b/big"), Buffer.alloc(2 * mebibyte, 1));
  writeFileSync(join(folder, "small"), Buffer.alloc(mebibyte, 1));
  linkSync(join(folder, "a/b/big"), join(folder, "again"));
  symlinkSync("/usr", join(folder, "elsewhere"));
  writeFileSync(join(folder, "holes"), "");
  truncateSync(join(folder, "holes"), 100 * mebibyte);
  const use = await folderUse([[folder, "/local"]]);
  expect(Math.round(use.usedBytes / mebibyte)).toBe(3);
  expect(["/local/a/b/big", "/local/again"]).toContain(use.largest);
});

test("a folder that is not there takes nothing", async () => {
  expect(await folderUse([[join(folder, "none"), "/"]])).toMatchObject({ usedBytes: 0, largest: "" });
});

test("a task's own files and those of its group count, its output does not", async () => {
  for (const place of ["0/work/local", "0/logs", "shared"]) {
    mkdirSync(join(folder, "tasks/g", place), { recursive: true });
    writeFileSync(join(folder, "tasks/g", place, "file"), Buffer.alloc(mebibyte, 1));
  }
  const found = await new Promise((resolve) => nodeDiskMeter(folder).measure([{ id: "g.0", limitMiB: 1 }], resolve));
  // Folders take a little as well.
  expect(found).toEqual([{ id: "g.0", usedMiB: 3, largest: "/local/file" }]);
});

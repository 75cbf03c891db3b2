import { mkdirSync, mkdtempSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { lockFolder } from "./lock.ts";

const folder = mkdtempSync(join(tmpdir(), "muster-lock-"));
afterAll(() => rmSync(folder, { recursive: true }));

test("a folder has one holder, who is told to the second, also by another path", async () => {
  const data = join(folder, "data");
  mkdirSync(data);
  symlinkSync(data, join(folder, "link"));
  const lock = await lockFolder(data, "dev");
  await expect(lockFolder(join(folder, "link"), "dev")).rejects.toThrow(`in use by pid ${process.pid} since 2`);
  lock.release();
  (await lockFolder(join(folder, "link"), "dev")).release();
});

test("two folders have two holders", async () => {
  const one = await lockFolder(folder, "dev");
  const other = await lockFolder(tmpdir(), "dev");
  one.release();
  other.release();
});

import { appendFileSync, closeSync, mkdtempSync, openSync, readFileSync, rmSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { capLogFile } from "./log-files.ts";

test("a log beyond its size is kept as .1, and its writer goes on at the start", () => {
  const folder = mkdtempSync(join(tmpdir(), "muster-log-"));
  const path = join(folder, "master.log");
  const descriptor = openSync(path, "a");
  writeSync(descriptor, "0123456789");
  expect(capLogFile(path, 10)).toBe(false);
  appendFileSync(path, "!");
  expect(capLogFile(path, 10)).toBe(true);
  writeSync(descriptor, "new");
  closeSync(descriptor);
  expect(readFileSync(`${path}.1`, "utf8")).toBe("0123456789!");
  expect(readFileSync(path, "utf8")).toBe("new");
  rmSync(folder, { recursive: true });
});

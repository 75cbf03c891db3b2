import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { readSettings } from "./settings.ts";

const folder = mkdtempSync(join(tmpdir(), "muster-settings-"));
afterAll(() => rmSync(folder, { recursive: true }));

function read(text: string): Record<string, unknown> {
  const path = join(folder, "master.conf");
  writeFileSync(path, text);
  return readSettings(path);
}

test("a file holds texts, numbers, truths and lists", () => {
  expect(
    read('# where\nlisten = "10.0.0.1:5050"\noffer_timeout_ms = 500 // short\n\nlist = ["a", "b"]\non = true\n'),
  ).toEqual({
    listen: "10.0.0.1:5050",
    offer_timeout_ms: 500,
    list: ["a", "b"],
    on: true,
  });
});

test.each([
  ["listen\n", "master.conf:1: needs name = value"],
  ["a = 1\na = 2\n", "master.conf:2: a is set twice"],
  ["a = [1,]\n", "master.conf:1: [1,] is no value"],
])("%j is refused with its place", (text, message) => {
  expect(() => read(text)).toThrow(message);
});

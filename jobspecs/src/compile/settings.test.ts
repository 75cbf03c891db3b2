import { expect, test } from "vitest";
import { readSettings } from "./settings.ts";

test("attributes become values, blocks objects, labels inner names", () => {
  const { settings, diagnostics } = readSettings(
    "a.hcl",
    'n = 1 + 1\nl = ["a", [null]]\nb {\n  x = "y"\n}\nc "d" {\n  z = null\n}\n',
  );
  expect(diagnostics).toEqual([]);
  expect(JSON.parse(JSON.stringify(settings))).toEqual({
    n: 2,
    l: ["a", [null]],
    b: { x: "y" },
    c: { d: { z: null } },
  });
});

test("errors have their place", () => {
  expect(readSettings("a.hcl", "a = b\n").diagnostics[0]).toMatchObject({ line: 1, column: 5 });
});

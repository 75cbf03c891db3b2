// biome-ignore-all lint/suspicious/noTemplateCurlyInString: the texts show the language, where ${ } is meant.
import { createRequire } from "node:module";
import { expect, test } from "vitest";
import { parse } from "./parse.ts";
import { Report, Source } from "./source.ts";

const reference = createRequire(import.meta.url)("hcl2-parser") as { parseToString(text: string): [string, unknown] };

function read(text: string) {
  const report = new Report();
  const body = parse(new Source("f.hcl", text), report);
  return { body, diagnostics: report.diagnostics };
}

const places = (text: string): string[] => read(text).diagnostics.map((d) => `${d.line}:${d.column} ${d.code}`);

test("attributes and blocks keep their order and places", () => {
  const text = 'b "x" {\n  a = 1\n}\na = b\n';
  const { body, diagnostics } = read(text);
  expect(diagnostics).toEqual([]);
  expect(body.items.map((item) => [item.kind, text.slice(item.start, item.end)])).toEqual([
    ["block", 'b "x" {\n  a = 1\n}'],
    ["attribute", "a = b"],
  ]);
});

test("several errors are reported at once, each at its place", () => {
  expect(places('a = \nb = 1\nc = [1 2]\nd {\n  e = "x\n  f = )\n}\ng = 1\ng = 2\n')).toEqual([
    "1:5 syntax/expected-value",
    "3:8 syntax/unclosed",
    "5:9 syntax/unclosed-string",
    "6:7 syntax/expected-value",
    "9:1 syntax/attribute-repeated",
  ]);
});

test("columns count grapheme clusters", () => {
  expect(places('a = "e\u0301\u{1F1E9}\u{1F1EA}" ?\n')).toEqual(["1:11 syntax/expected-value"]);
});

test("old HCL1 habits are named", () => {
  const hints = read("a { x = 1, y = 2 }\nb = 'x'\n\"c\" = 1\n").diagnostics.map((d) => d.hint ?? d.summary);
  expect(hints).toEqual([
    "put each argument on its own line",
    'text is written in double quotes: "..."',
    "names of attributes and blocks are written without quotes",
  ]);
  const values = read('driver "exec"\ndatacenters ["dc1"]\ncount 3\nname : "x"\nx = "${A:-b}"\n').diagnostics;
  expect(values.map((d) => d.hint)).toEqual([
    'write driver = "exec" if it is no block',
    "write datacenters = ... with an equals sign",
    "write count = ... with an equals sign",
    "write name = ... with an equals sign",
    "write $${ for a plain ${ in the text",
  ]);
});

test.each([
  ["depth", `a = ${"[".repeat(300)}`, "syntax/too-deep"],
  ["negations", `a = ${"!".repeat(300)}x\n`, "syntax/too-deep"],
  ["blocks", "a {\n".repeat(300), "syntax/too-deep"],
  ["templates", `a = ${'"${'.repeat(300)}`, "syntax/too-deep"],
  ["splats", `a = x${"[*]".repeat(300)}\n`, "syntax/too-deep"],
  ["nodes", `a = [${"1,".repeat(50_001)}]\n`, "syntax/too-many-nodes"],
  ["size", `a = "${"x".repeat(1024 * 1024)}"\n`, "syntax/too-large"],
])("the cap on %s is a named error", (_, text, code) => {
  expect(read(text).diagnostics.map((d) => d.code)).toContain(code);
});

test.each([
  ['a = "$$${x}"\n', true],
  ['a = "\\q"\n', false],
  ["\ufeffa = 1\n", true],
  ["a = 1\rb = 2\n", false],
  ["a = <<E\nx\n\rE\n", false],
  ["a = <<E\r\nx\r\n  E \r\n", true],
  ["a = <<E\nx\nE", false],
  ["a = {for = 1}\n", false],
  ["a = { b = 1\n, c = 2 }\n", false],
  ["b {\na = 1 }\n", false],
  ["a = 1 +\n 2\n", false],
  ["a = f(x...,)\n", false],
  ["a = x.0.1\n", false],
  ["a = x.*.*.b\n", false],
  ["a = - - 1\n", true],
  ["a = 1 /* \n */ b = 2\n", false],
  ['a = "%{ if x }%{ else }%{ else }%{ endif }"\n', false],
  ["a = [for x, in y : x]\n", false],
  ["a = 1.2.3\n", false],
  ["a = x[*\n]\n", false],
  ["a = x[\n*]\n", false],
  ["a = (x[*\n])\n", true],
])("%j is judged as by the reference", (text, accepted) => {
  expect(read(text).diagnostics.length === 0).toBe(accepted);
  expect(!reference.parseToString(text)[1]).toBe(accepted);
});

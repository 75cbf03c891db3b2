import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { commandSpecs } from "./commands/index.ts";
import { helpDocument, helpOf } from "./help-document.ts";
import { version } from "./version.ts";

test("docs/cli.md is what --help says (vitest -u writes it anew)", async () => {
  await expect(helpDocument()).toMatchFileSnapshot("../../docs/cli.md");
});

test.each(commandSpecs.map((spec) => [spec.path, spec] as const))(
  "%s --help has three examples, the capability and the exit codes",
  (path, spec) => {
    const help = helpOf(path);
    for (const example of spec.examples) expect(help).toContain(`$ muster ${example}\n`);
    expect(help).toContain(`Needed capability: ${spec.capability}`);
    expect(help.slice(help.indexOf("Exit codes:"))).toMatch(/\n {2}\S/);
    expect(help).toContain("--json");
  },
);

test("schemas of --json have one name each, with a version", () => {
  const schemas = commandSpecs.map((spec) => spec.schema);
  expect(new Set(schemas).size).toBe(schemas.length);
  for (const schema of schemas) expect(schema).toMatch(/^muster(\.[a-z]+)+\/\d+$/);
});

test("the version is that of the package", () => {
  const text = readFileSync(new URL("../package.json", import.meta.url), "utf8");
  expect((JSON.parse(text) as { version: string }).version).toBe(version);
});

import { readFileSync, writeFileSync } from "node:fs";
import { expect, test } from "vitest";
import { schemaTable } from "./document.ts";

const readme = new URL("../../README.md", import.meta.url);
const between = /(<!-- schema -->\n)[\s\S]*(<!-- \/schema -->)/;

test("the README's table is the schema", () => {
  const text = readFileSync(readme, "utf8");
  const wanted = text.replace(between, (_, open, close) => `${open}\n${schemaTable()}\n\n${close}`);
  if (process.env["MUSTER_UPDATE_DOCS"] === "1") writeFileSync(readme, wanted);
  else expect(text).toBe(wanted);
});

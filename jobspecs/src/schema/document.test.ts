import { readFileSync, writeFileSync } from "node:fs";
import { expect, test } from "vitest";
import { schemaPage, schemaTable } from "./document.ts";

const between = /(<!-- schema -->\n)[\s\S]*(<!-- \/schema -->)/;

test.each([
  ["README.md", schemaTable],
  ["../docs/jobspec.md", schemaPage],
])("what %s says of blocks is the schema", (file, made) => {
  const place = new URL(`../../${file}`, import.meta.url);
  const text = readFileSync(place, "utf8");
  const wanted = text.replace(between, (_, open, close) => `${open}\n${made()}\n\n${close}`);
  if (process.env["MUSTER_UPDATE_DOCS"] === "1") writeFileSync(place, wanted);
  else expect(text).toBe(wanted);
});

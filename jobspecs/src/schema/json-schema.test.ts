import { expect, test } from "vitest";
import { jobJsonSchema } from "./json-schema.ts";

// biome-ignore lint/suspicious/noExplicitAny: walked by names alone
const schema = jobJsonSchema() as any;

test("every reference of the JSON Schema leads somewhere", () => {
  const references = [...JSON.stringify(schema).matchAll(/"\$ref":"#\/\$defs\/([^"]+)"/g)].map(
    ([, name]) => name ?? "",
  );
  expect(references.length).toBeGreaterThan(20);
  expect(references.filter((name) => !(name in schema.$defs))).toEqual([]);
});

test("it says what the table says", () => {
  const group = schema.$defs["job.group"];
  expect(group.properties.count.anyOf[0]).toEqual({ type: "integer", minimum: 0, maximum: 50_000 });
  expect(schema.$defs["job.group.task"].required).toContain("driver");
  expect(group.properties.vault).toBeUndefined();
  expect(group.properties.consul.deprecated).toBe(true);
  expect(schema.$defs["job"].additionalProperties).toBe(false);
});

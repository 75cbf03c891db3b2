import type { AttributeSchema, BlockSchema } from "./model.ts";
import { jobBlock } from "./table.ts";

type Json = string | number | boolean | readonly Json[] | { readonly [name: string]: Json };

/**
 * The schema of job files in JSON syntax, for editors: what is refused is left out, what has no effect is marked as
 * deprecated. Texts stand for every type, since they may hold templates.
 */
export function jobJsonSchema(): Json {
  const definitions: Record<string, Json> = {};
  const known = new Map<BlockSchema, string>();
  const referTo = (path: string, block: BlockSchema): Json => {
    const before = known.get(block);
    const name = before ?? path;
    if (before === undefined) {
      known.set(block, path);
      definitions[name] = describe(path, block);
    }
    return labelled(block, { $ref: `#/$defs/${name}` });
  };
  const describe = (path: string, block: BlockSchema): Json => {
    const properties: Record<string, Json> = { "//": { description: "A comment." } };
    for (const [name, item] of Object.entries(block.attributes))
      if (item.status !== "refused") properties[name] = attribute(item);
    for (const [name, inner] of Object.entries(block.blocks))
      if (inner.status !== "refused")
        properties[name] = { ...marks(inner), anyOf: [referTo(`${path}.${name}`, inner)] };
    const required = Object.entries(block.attributes).flatMap(([name, item]) => (item.required ? [name] : []));
    return {
      type: "object",
      ...(block.doc === "" ? {} : { description: block.doc }),
      properties,
      ...(required.length > 0 ? { required } : {}),
      ...(block.isOpen ? {} : { additionalProperties: false }),
    };
  };
  const job = referTo("job", jobBlock);
  return {
    $schema: "https://json-schema.org/draft/2020-12/schema",
    title: "Muster job in JSON syntax",
    type: "object",
    properties: {
      "//": { description: "A comment." },
      job,
      variable: { type: "object", additionalProperties: { type: "object" } },
      variables: { type: "object" },
      locals: { type: "object" },
    },
    required: ["job"],
    $defs: definitions,
  };
}

/** Labels are names of an object; blocks that repeat may stand in a list. */
function labelled(block: BlockSchema, one: Json): Json {
  const many: Json = block.repeats ? { anyOf: [one, { type: "array", items: one }] } : one;
  return block.labels === 0 ? many : { type: "object", additionalProperties: many };
}

function marks(item: { readonly status: string; readonly reason?: string }): Record<string, Json> {
  return item.status === "warned" ? { deprecated: true, description: `Without effect: ${item.reason ?? ""}` } : {};
}

function attribute(item: AttributeSchema): Json {
  const doc = { description: item.doc, ...marks(item) };
  const text: Json = { type: "string" };
  switch (item.type) {
    case "integer": {
      const bounds = {
        ...(item.min === undefined ? {} : { minimum: item.min }),
        ...(item.max === undefined ? {} : { maximum: item.max }),
      };
      return { ...doc, anyOf: [{ type: "integer", ...bounds }, text] };
    }
    case "bool":
      return { ...doc, anyOf: [{ type: "boolean" }, text] };
    case "duration":
    case "text":
      return { ...doc, type: ["string", "number"] };
    case "string":
      return item.oneOf
        ? { ...doc, anyOf: [{ enum: [...item.oneOf] }, { type: "string", pattern: "[$%]\\{" }] }
        : { ...doc, ...text };
    case "strings":
      return { ...doc, anyOf: [{ type: "array" }, text] };
    case "string-map":
      return { ...doc, anyOf: [{ type: "object" }, text] };
    default:
      return doc;
  }
}

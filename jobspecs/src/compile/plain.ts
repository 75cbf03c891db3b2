import type { Span } from "../diagnostics/diagnostic.ts";
import { parseDuration } from "../evaluate/functions/times.ts";
import type { Scope } from "../evaluate/scope.ts";
import {
  escapeRuntime,
  kindName,
  listValue,
  runtimeText,
  toBool,
  toNumber,
  toText,
  type Value,
} from "../evaluate/value.ts";
import type { AttributeSchema } from "../schema/model.ts";
import type { Headers, Plain } from "./decoded.ts";

/** Longest duration: a hundred years. */
const durationMsMax = 100 * 365 * 86_400_000;

/** The value as the schema wants it; undefined after an error, and for null, which counts as not written. */
export function plainOf(
  value: Value,
  schema: AttributeSchema,
  name: string,
  span: Span,
  scope: Scope,
): Plain | undefined {
  if (schema.type === "free" || value.kind === "null" || holdsUnknown(value)) return undefined;
  const plain = convertPlain(value, schema.type);
  if (plain === undefined) {
    scope.report.error(scope.source, span, {
      code: "schema/wrong-type",
      summary: `"${name}" must be ${typeWords[schema.type]}, not ${describeValue(value)}`,
      detail: schema.doc,
    });
    return undefined;
  }
  const refusal = refusalOf(plain, schema, name);
  if (refusal === undefined) return plain;
  scope.report.error(scope.source, span, { code: "schema/out-of-range", summary: refusal, detail: schema.doc });
  return undefined;
}

/** What is unknown was reported where it arose. */
function holdsUnknown(value: Value): boolean {
  if (value.kind === "list") return value.items.some(holdsUnknown);
  if (value.kind === "map") return [...value.entries.values()].some(holdsUnknown);
  return value.kind === "unknown";
}

const typeWords = {
  string: "text",
  text: "text or a number",
  integer: "a whole number",
  bool: "true or false",
  duration: 'a duration such as "1h30m"',
  strings: "a list of texts",
  "string-map": "a map of texts",
  any: "an object of lists",
  free: "a value",
} as const;

function describeValue(value: Value): string {
  return value.kind === "runtime" ? kindName(value) : `a ${kindName(value)}`;
}

function refusalOf(plain: Plain, schema: AttributeSchema, name: string): string | undefined {
  if (typeof plain === "string" && schema.oneOf && !schema.oneOf.includes(plain)) {
    return `"${name}" is one of ${schema.oneOf.join(", ")}`;
  }
  if (typeof plain !== "number") return undefined;
  const unit = schema.type === "duration" ? " ms" : "";
  if (schema.min !== undefined && plain < schema.min) return `"${name}" is at least ${schema.min}${unit}`;
  if (schema.max !== undefined && plain > schema.max) return `"${name}" is at most ${schema.max}${unit}`;
  return undefined;
}

function convertPlain(value: Value, type: AttributeSchema["type"]): Plain | undefined {
  switch (type) {
    case "string":
    case "text":
      return textFor(value);
    case "integer": {
      const number = toNumber(value);
      return number !== undefined && Number.isSafeInteger(number) ? number : undefined;
    }
    case "bool":
      return toBool(value);
    case "duration":
      return durationFor(value);
    case "strings":
      return textsFor(value);
    case "string-map":
      return mapFor(value);
    case "any":
      return headersFor(value);
    case "free":
      return undefined;
  }
}

/** Text as it travels: references as `${…}`, literal look-alikes escaped. */
function textFor(value: Value): string | undefined {
  if (value.kind === "runtime") return runtimeText(value);
  const text = toText(value);
  return text === undefined ? undefined : escapeRuntime(text);
}

function durationFor(value: Value): number | undefined {
  const ms =
    value.kind === "number" ? value.number / 1e6 : value.kind === "string" ? parseDuration(value.text) : undefined;
  return ms === undefined || Math.abs(ms) > durationMsMax ? undefined : Math.round(ms);
}

function textsFor(value: Value): readonly string[] | undefined {
  if (value.kind !== "list") return undefined;
  const texts = value.items.map(textFor);
  return texts.every((text) => text !== undefined) ? texts : undefined;
}

function mapFor(value: Value): ReadonlyMap<string, string> | undefined {
  if (value.kind !== "map") return undefined;
  const made = new Map<string, string>();
  for (const [key, item] of value.entries) {
    const text = textFor(item);
    if (text === undefined) return undefined;
    made.set(key, text);
  }
  return made;
}

function headersFor(value: Value): Headers | undefined {
  if (value.kind !== "map") return undefined;
  const headers: Record<string, readonly string[]> = {};
  for (const [key, item] of value.entries) {
    const texts = item.kind === "list" ? textsFor(item) : textsFor(listValue([item]));
    if (!texts) return undefined;
    headers[key] = texts;
  }
  return { headers };
}

import { invalid } from "@muster/foundation";

export type JsonObject = Readonly<Record<string, unknown>>;

/** The object that a text of JSON stands for. `what` names the text in messages. */
export function parseObject(text: string, what: string): JsonObject {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw invalid(what, `is not JSON: ${(error as Error).message}`);
  }
  return asObject(value, what);
}

export function asObject(value: unknown, field: string): JsonObject {
  if (typeof value !== "object" || value === null || Array.isArray(value)) throw invalid(field, "must be an object");
  return value as JsonObject;
}

/** A list; empty if it is absent. */
export function asList(value: unknown, field: string, countMax: number): readonly unknown[] {
  if (value === undefined || value === null) return [];
  if (!Array.isArray(value)) throw invalid(field, "must be a list");
  if (value.length > countMax) throw invalid(field, `has ${value.length} entries, at most ${countMax} are taken`);
  return value;
}

export function asTexts(value: unknown, field: string, countMax: number): string[] {
  return asList(value, field, countMax).map((one, index) => asText(one, `${field}[${index}]`));
}

export function asText(value: unknown, field: string, lengthMax = 1_024): string {
  if (typeof value !== "string") throw invalid(field, "must be a string");
  if (value.length > lengthMax) throw invalid(field, `has ${value.length} characters, at most ${lengthMax} are taken`);
  return value;
}

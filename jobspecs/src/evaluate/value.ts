/** Values of the language. Immutable; `runtime` is text that only the agent can finish; `unknown` follows an error. */
export type Value =
  | { readonly kind: "string"; readonly text: string }
  | { readonly kind: "number"; readonly number: number }
  | { readonly kind: "bool"; readonly bool: boolean }
  | { readonly kind: "null" }
  | ListValue
  | MapValue
  | RuntimeValue
  | { readonly kind: "unknown" };

/** Sequences; a `set` holds no value twice. */
export interface ListValue {
  readonly kind: "list";
  readonly form: "list" | "set";
  readonly items: readonly Value[];
  /** See `sizeOf`. */
  readonly size: number;
}

export interface MapValue {
  readonly kind: "map";
  /** Keys in order of code units, as in HCL. */
  readonly entries: ReadonlyMap<string, Value>;
  /** See `sizeOf`. */
  readonly size: number;
}

/** Text with references such as `${node.class}` in it. */
export interface RuntimeValue {
  readonly kind: "runtime";
  readonly parts: readonly RuntimePart[];
}

/** Literal text, or the inside of `${ }` as written. */
export type RuntimePart = { readonly text: string } | { readonly reference: string };

export const nullValue: Value = { kind: "null" };
export const unknownValue: Value = { kind: "unknown" };
export const stringValue = (text: string): Value => ({ kind: "string", text });
export const numberValue = (number: number): Value => ({ kind: "number", number });
export const boolValue = (bool: boolean): Value => ({ kind: "bool", bool });
export const listValue = (items: readonly Value[]): ListValue => listOfForm("list", items);

function listOfForm(form: ListValue["form"], items: readonly Value[]): ListValue {
  let size = 1;
  for (const item of items) size += sizeOf(item);
  return { kind: "list", form, items, size };
}

export function mapValue(entries: Iterable<readonly [string, Value]>): MapValue {
  const sorted = [...entries].sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0));
  let size = 1;
  for (const [key, item] of sorted) size += 1 + (key.length >> 6) + sizeOf(item);
  return { kind: "map", entries: new Map(sorted), size };
}

export const setValue = (items: readonly Value[]): ListValue => listOfForm("set", unique(items).sort(compareForOrder));

/** The first of each kind of equals. O(size). */
export function unique(items: readonly Value[]): Value[] {
  const kept = new Map<string, Value>();
  for (const item of items) {
    const key = identity(item);
    if (!kept.has(key)) kept.set(key, item);
  }
  return [...kept.values()];
}

/**
 * How much work a value is to walk through: one for each value in it, and one for 64 characters of text. Values that
 * stand in several places count in each: lists of lists that double grow so, although they need little memory.
 */
export function sizeOf(value: Value): number {
  if (value.kind === "list" || value.kind === "map") return value.size;
  return value.kind === "string" ? 1 + (value.text.length >> 6) : 1;
}

/** Texts that are equal for equal values alone. */
export function identity(value: Value): string {
  switch (value.kind) {
    case "string":
      return JSON.stringify(value.text);
    case "list":
      return `[${value.items.map(identity).join(",")}]`;
    case "map":
      return `{${[...value.entries].map(([key, item]) => `${JSON.stringify(key)}:${identity(item)}`).join(",")}}`;
    case "runtime":
      return `$${JSON.stringify(runtimeText(value))}`;
    default:
      return toText(value) ?? value.kind;
  }
}

function compareForOrder(a: Value, b: Value): number {
  if (a.kind === "number" && b.kind === "number") return a.number - b.number;
  const left = toText(a) ?? "";
  const right = toText(b) ?? "";
  return left < right ? -1 : left > right ? 1 : 0;
}

export function isEqual(a: Value, b: Value): boolean {
  if (a.kind === "string" && b.kind === "string") return a.text === b.text;
  if (a.kind === "number" && b.kind === "number") return a.number === b.number;
  if (a.kind === "bool" && b.kind === "bool") return a.bool === b.bool;
  if (a.kind === "null" && b.kind === "null") return true;
  if (a.kind === "list" && b.kind === "list") {
    return (
      a.items.length === b.items.length && a.items.every((item, index) => isEqual(item, b.items[index] ?? nullValue))
    );
  }
  if (a.kind === "map" && b.kind === "map") {
    if (a.entries.size !== b.entries.size) return false;
    for (const [key, value] of a.entries) {
      const other = b.entries.get(key);
      if (!other || !isEqual(value, other)) return false;
    }
    return true;
  }
  if (a.kind === "runtime" && b.kind === "runtime") return runtimeText(a) === runtimeText(b);
  return false;
}

/** Text of a primitive as HCL prints it; undefined for others. */
export function toText(value: Value): string | undefined {
  switch (value.kind) {
    case "string":
      return value.text;
    case "number":
      return numberText(value.number);
    case "bool":
      return String(value.bool);
    default:
      return undefined;
  }
}

/** Decimal without exponent. */
export function numberText(number: number): string {
  if (Number.isInteger(number) && Math.abs(number) >= 1e21) return BigInt(number).toString();
  const text = String(number);
  if (!text.includes("e")) return text;
  return number.toFixed(20).replace(/0+$/, "");
}

export function toNumber(value: Value): number | undefined {
  if (value.kind === "number") return value.number;
  if (value.kind !== "string" || !/^-?\d+(\.\d+)?([eE][+-]?\d+)?$/.test(value.text)) return undefined;
  return Number(value.text);
}

export function toBool(value: Value): boolean | undefined {
  if (value.kind === "bool") return value.bool;
  if (value.kind === "string" && value.text === "true") return true;
  if (value.kind === "string" && value.text === "false") return false;
  return undefined;
}

/** Kind of a value in users' words. */
export function kindName(value: Value): string {
  if (value.kind === "list") return value.form;
  return value.kind === "runtime" ? "text known only on the agent" : value.kind;
}

/** Roots that agents know; other names are left to the agent only inside a template, with a warning. */
export function isRuntimeRoot(name: string): boolean {
  return runtimeRoots.has(name) || name.startsWith("NOMAD_") || name.startsWith("MUSTER_");
}

const runtimeRoots = new Set(["node", "attr", "meta", "env", "device", "secret"]);

const reference = /^(?:(?:node|attr|meta|device|secret)\.|env\[|(?:NOMAD|MUSTER)_)/;

/** The same at a place of a text; blanks before it do not count, as `interpolate` takes them off. */
const referenceAhead = new RegExp(`\\s*(?:${reference.source.slice(1)})`, "y");

/** As text for the agent: references as `${…}`; literal text that could be read as one has its `$` doubled. */
export function runtimeText(value: RuntimeValue): string {
  return value.parts.map((part) => ("text" in part ? escapeRuntime(part.text) : `\${${part.reference}}`)).join("");
}

/** Doubles the `$` of literal text that `interpolate` would otherwise read as a reference or as an escape. */
export function escapeRuntime(text: string): string {
  if (!text.includes("${")) return text;
  return text.replace(/(\$+)\{/g, (whole, signs: string, at: number) => {
    referenceAhead.lastIndex = at + 2;
    const isSafe = signs.length === 1 && !referenceAhead.test(text);
    return isSafe ? whole : `$${whole}`;
  });
}

/** A text that was given from outside, where `${…}` before what agents know is a reference as in the job file. O(length). */
export function givenText(text: string): Value {
  const parts: RuntimePart[] = [];
  let done = 0;
  for (const found of text.matchAll(/(?<!\$)\$\{\s*([^{}]+?)\s*\}/g)) {
    const [whole, inside = ""] = found;
    if (!isReferenceText(inside)) continue;
    if (found.index > done) parts.push({ text: text.slice(done, found.index) });
    parts.push({ reference: inside });
    done = found.index + whole.length;
  }
  if (parts.length === 0) return stringValue(text);
  if (done < text.length) parts.push({ text: text.slice(done) });
  return { kind: "runtime", parts };
}

export const isReferenceText = (inside: string): boolean => reference.test(inside);

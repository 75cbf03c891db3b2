/** A value of a template. */
export type TemplateValue = string | number | boolean | null | readonly TemplateValue[] | TemplateMap | TemplateStruct;

/** Names and values; a name that is not there is nothing. */
export type TemplateMap = ReadonlyMap<string, TemplateValue>;

/** A thing with fixed fields: a field that it has not is a mistake. */
export class TemplateStruct {
  readonly name: string;
  readonly fields: ReadonlyMap<string, TemplateValue>;

  constructor(name: string, fields: Readonly<Record<string, TemplateValue>>) {
    this.name = name;
    this.fields = new Map(Object.entries(fields));
  }
}

export function isList(value: TemplateValue): value is readonly TemplateValue[] {
  return Array.isArray(value);
}

/** As `if` and `and` see it. */
export function isTrue(value: TemplateValue): boolean {
  if (value === null) return false;
  if (typeof value === "string" || isList(value)) return value.length > 0;
  if (typeof value === "number") return value !== 0;
  if (typeof value === "boolean") return value;
  return value instanceof TemplateStruct || value.size > 0;
}

/** As it is printed. O(size). */
export function shown(value: TemplateValue): string {
  if (value === null) return "<no value>";
  if (typeof value === "string") return value;
  if (isList(value)) return `[${value.map(shown).join(" ")}]`;
  if (value instanceof TemplateStruct) return `{${[...value.fields.values()].map(shown).join(" ")}}`;
  if (value instanceof Map)
    return `map[${sortedEntries(value)
      .map(([key, one]) => `${key}:${shown(one)}`)
      .join(" ")}]`;
  return String(value);
}

export function sortedEntries(map: TemplateMap): [string, TemplateValue][] {
  return [...map].sort(([one], [other]) => (one < other ? -1 : 1));
}

/** What people call the kind of a value. */
export function kindOf(value: TemplateValue): string {
  if (value === null) return "nothing";
  if (isList(value)) return "a list";
  if (value instanceof TemplateStruct) return `a ${value.name}`;
  if (typeof value === "object") return "a map";
  return typeof value === "string" ? "text" : `a ${typeof value}`;
}

/** As JSON.stringify takes it. O(size). */
export function plainJson(value: TemplateValue): unknown {
  if (value === null || typeof value !== "object") return value;
  if (isList(value)) return value.map(plainJson);
  const entries = value instanceof TemplateStruct ? [...value.fields] : sortedEntries(value);
  const made: Record<string, unknown> = Object.create(null);
  for (const [key, one] of entries) made[key] = plainJson(one);
  return made;
}

export function fromJson(value: unknown): TemplateValue {
  if (value === null || typeof value === "string" || typeof value === "number" || typeof value === "boolean")
    return value;
  if (Array.isArray(value)) return value.map(fromJson);
  return new Map(Object.entries(value as object).map(([key, one]) => [key, fromJson(one)]));
}

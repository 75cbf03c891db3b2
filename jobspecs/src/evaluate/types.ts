import type { Expression } from "../syntax/tree.ts";
import {
  boolValue,
  listValue,
  mapValue,
  nullValue,
  numberValue,
  setValue,
  stringValue,
  toBool,
  toNumber,
  toText,
  type Value,
} from "./value.ts";

/** Type constraints of variables. */
export type Type =
  | "string"
  | "number"
  | "bool"
  | "any"
  | { readonly kind: "list" | "set"; readonly element: Type }
  | { readonly kind: "map"; readonly element: Type }
  | { readonly kind: "tuple"; readonly elements: readonly Type[] }
  | { readonly kind: "object"; readonly attributes: ReadonlyMap<string, AttributeType> };

/** `optional(type)` may be left out: null then, or the default of `optional(type, default)`. */
export interface AttributeType {
  readonly type: Type;
  readonly optional?: { readonly defaultValue?: Value };
}

/** Value of the expression of a default. */
export type EvaluateDefault = (expression: Expression) => Value;

/** The type that an expression names, e.g. `list(string)`; undefined if it names none. */
export function parseType(expression: Expression, evaluate: EvaluateDefault): Type | undefined {
  if (expression.kind === "parentheses") return parseType(expression.inner, evaluate);
  if (expression.kind === "variable") return primitiveOrCollection(expression.name);
  if (expression.kind !== "call" || expression.args.length !== 1) return undefined;
  const [argument] = expression.args;
  if (!argument) return undefined;
  if (expression.name === "list" || expression.name === "set" || expression.name === "map") {
    const element = parseType(argument, evaluate);
    return element && { kind: expression.name, element };
  }
  if (expression.name === "tuple" && argument.kind === "tuple") {
    const elements = argument.items.map((item) => parseType(item, evaluate));
    return elements.every((type) => type !== undefined) ? { kind: "tuple", elements } : undefined;
  }
  if (expression.name === "object" && argument.kind === "object") return parseObjectType(argument, evaluate);
  return undefined;
}

function primitiveOrCollection(name: string): Type | undefined {
  if (name === "string" || name === "number" || name === "bool" || name === "any") return name;
  if (name === "list" || name === "set" || name === "map") return { kind: name, element: "any" };
  return undefined;
}

function parseObjectType(argument: Expression & { kind: "object" }, evaluate: EvaluateDefault): Type | undefined {
  const attributes = new Map<string, AttributeType>();
  for (const { key, value } of argument.items) {
    const part = key.kind === "template" ? key.parts[0] : undefined;
    const name = key.kind === "variable" ? key.name : part?.kind === "text" ? part.text : undefined;
    const type = parseAttributeType(value, evaluate);
    if (name === undefined || !type) return undefined;
    attributes.set(name, type);
  }
  return { kind: "object", attributes };
}

function parseAttributeType(expression: Expression, evaluate: EvaluateDefault): AttributeType | undefined {
  if (expression.kind !== "call" || expression.name !== "optional") {
    const type = parseType(expression, evaluate);
    return type && { type };
  }
  const [inner, written, ...more] = expression.args;
  const type = inner && parseType(inner, evaluate);
  if (!type || more.length > 0) return undefined;
  if (!written) return { type, optional: {} };
  const defaultValue = convert(evaluate(written), type);
  return defaultValue && { type, optional: { defaultValue } };
}

export function typeName(type: Type): string {
  if (typeof type === "string") return type;
  if (type.kind === "tuple") return `tuple([${type.elements.map(typeName).join(", ")}])`;
  if (type.kind === "object") {
    const attributes = [...type.attributes].map(([name, { type: inner, optional }]) => {
      return `${name} = ${optional ? `optional(${typeName(inner)})` : typeName(inner)}`;
    });
    return `object({${attributes.join(", ")}})`;
  }
  return `${type.kind}(${typeName(type.element)})`;
}

/** The value as that type, converted where nothing is lost; undefined if it can't be. */
export function convert(value: Value, type: Type): Value | undefined {
  if (type === "any" || value.kind === "unknown" || value.kind === "null") return value;
  if (type === "string") {
    if (value.kind === "runtime") return value;
    const text = toText(value);
    return text === undefined ? undefined : stringValue(text);
  }
  if (type === "number") {
    const number = toNumber(value);
    return number === undefined ? undefined : numberValue(number);
  }
  if (type === "bool") {
    const bool = toBool(value);
    return bool === undefined ? undefined : boolValue(bool);
  }
  if (typeof type === "string") return undefined;
  return convertCollection(value, type);
}

function convertCollection(value: Value, type: Exclude<Type, string>): Value | undefined {
  if (type.kind === "object") return value.kind === "map" ? convertObject(value.entries, type.attributes) : undefined;
  if (type.kind === "map") return value.kind === "map" ? convertMap(value.entries, type.element) : undefined;
  if (value.kind !== "list") return undefined;
  if (type.kind === "tuple" && type.elements.length !== value.items.length) return undefined;
  const items: Value[] = [];
  for (const [index, item] of value.items.entries()) {
    const converted = convert(item, type.kind === "tuple" ? (type.elements[index] ?? "any") : type.element);
    if (!converted) return undefined;
    items.push(converted);
  }
  return type.kind === "set" ? setValue(items) : listValue(items);
}

function convertMap(entries: ReadonlyMap<string, Value>, element: Type): Value | undefined {
  const made: [string, Value][] = [];
  for (const [key, item] of entries) {
    const converted = convert(item, element);
    if (!converted) return undefined;
    made.push([key, converted]);
  }
  return mapValue(made);
}

function convertObject(
  entries: ReadonlyMap<string, Value>,
  attributes: ReadonlyMap<string, AttributeType>,
): Value | undefined {
  const made: [string, Value][] = [];
  for (const [name, { type, optional }] of attributes) {
    const given = entries.get(name);
    const item = given === undefined || given.kind === "null" ? (optional?.defaultValue ?? given) : given;
    const converted = item ? convert(item, type) : optional && nullValue;
    if (!converted) return undefined;
    made.push([name, converted]);
  }
  return mapValue(made);
}

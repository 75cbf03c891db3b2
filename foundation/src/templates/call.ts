import { compilePattern } from "../text/pattern.ts";
import { PatternFault } from "../text/pattern-syntax.ts";
import { formatText } from "./format.ts";
import { fromJson, isList, isTrue, kindOf, plainJson, shown, TemplateStruct, type TemplateValue } from "./values.ts";

/** Says what is wrong with a call; whoever made it knows where. */
export class CallFault extends Error {}

/** Numbers of one loop. */
const loopMax = 100_000;

type Given = readonly TemplateValue[];

const fail = (message: string): never => {
  throw new CallFault(message);
};

export function textOf(value: TemplateValue | undefined): string {
  if (typeof value === "string") return value;
  if (typeof value === "number" || typeof value === "boolean") return String(value);
  return fail(`needs text, not ${kindOf(value ?? null)}`);
}

export function numberOf(value: TemplateValue | undefined): number {
  if (typeof value === "number") return value;
  const text = typeof value === "string" && value.trim() !== "" ? Number(value) : Number.NaN;
  return Number.isNaN(text) ? fail(`needs a number, not ${kindOf(value ?? null)}`) : text;
}

function listOf(value: TemplateValue | undefined): readonly TemplateValue[] {
  return value !== undefined && isList(value) ? value : fail(`needs a list, not ${kindOf(value ?? null)}`);
}

/** Equal as Go's templates compare: numbers with numbers, texts with texts. */
function isEqual(one: TemplateValue, other: TemplateValue): boolean {
  if (one === null || other === null) return one === other;
  if (typeof one !== typeof other || typeof one === "object")
    return fail(`${kindOf(one)} and ${kindOf(other)} can't be compared`);
  return one === other;
}

function isLess(one: TemplateValue, other: TemplateValue): boolean {
  if (typeof one === "number" && typeof other === "number") return one < other;
  if (typeof one === "string" && typeof other === "string") return one < other;
  return fail(`${kindOf(one)} and ${kindOf(other)} have no order`);
}

function lengthOf(value: TemplateValue): number {
  if (typeof value === "string") return new TextEncoder().encode(value).length;
  if (isList(value)) return value.length;
  if (value instanceof Map) return value.size;
  return fail(`${kindOf(value)} has no length`);
}

function at(value: TemplateValue, key: TemplateValue): TemplateValue {
  if (value instanceof Map) return value.get(textOf(key)) ?? null;
  if (value instanceof TemplateStruct) return value.fields.get(textOf(key)) ?? null;
  const list = typeof value === "string" ? [...value] : listOf(value);
  const index = numberOf(key);
  const found = Number.isInteger(index) && index >= 0 ? list[index] : undefined;
  return found === undefined ? fail(`has no element ${shown(key)}, only ${list.length}`) : found;
}

function sliceOf(value: TemplateValue, from?: TemplateValue, to?: TemplateValue): TemplateValue {
  const length = lengthOf(value);
  const begin = from === undefined ? 0 : numberOf(from);
  const end = to === undefined ? length : numberOf(to);
  if (begin < 0 || end > length || begin > end) return fail(`has no part ${begin} to ${end}, only ${length}`);
  return typeof value === "string" ? value.slice(begin, end) : listOf(value).slice(begin, end);
}

function isIn(list: TemplateValue, wanted: TemplateValue): boolean {
  if (typeof list === "string") return list.includes(textOf(wanted));
  if (list instanceof Map) return list.has(textOf(wanted));
  return list !== null && listOf(list).some((one) => one === wanted);
}

function has(value: TemplateValue, wanted: TemplateValue, how: "every" | "some"): boolean {
  return listOf(wanted)[how]((one) => isIn(value, one));
}

/** Both whole: whole, rounded towards 0, as Go divides. */
function divided(by: number, number: number): number {
  if (by === 0) return fail("can't divide by 0");
  return Number.isInteger(by) && Number.isInteger(number) ? Math.trunc(number / by) : number / by;
}

function parsedJson(text: string): TemplateValue {
  if (text === "") return new Map();
  try {
    return fromJson(JSON.parse(text));
  } catch {
    // What the text is may be secret.
    return fail("the text is no JSON");
  }
}

function wholeNumber(text: string, form: RegExp): number {
  const value = form.test(text.trim()) ? Number(text) : Number.NaN;
  return Number.isSafeInteger(value) ? value : fail("the text is no whole number");
}

function loop(from: number, to: number): number[] {
  if (!(to - from <= loopMax)) return fail(`goes over more than ${loopMax} numbers`);
  return Array.from({ length: Math.max(0, to - from) }, (_, index) => from + index);
}

function trimmed(text: string, signs: string): string {
  const points = [...text];
  const isOff = (point: string | undefined): boolean => point !== undefined && signs.includes(point);
  let begin = 0;
  let end = points.length;
  while (begin < end && isOff(points[begin])) begin++;
  while (end > begin && isOff(points[end - 1])) end--;
  return points.slice(begin, end).join("");
}

function matches(source: string, text: string): boolean {
  const pattern = compilePattern(`[\\s\\S]*(?:${source})[\\s\\S]*`);
  if (pattern instanceof PatternFault) return fail(`the pattern ${pattern.message}`);
  return pattern.matches(text);
}

function splitToMap(separator: string, between: string, text: string): TemplateValue {
  const map = new Map<string, TemplateValue>();
  for (const part of text === "" ? [] : text.split(separator)) {
    const cut = part.indexOf(between);
    if (cut < 0) return fail("a part has no value");
    map.set(part.slice(0, cut), part.slice(cut + between.length));
  }
  return map;
}

/** Services by their tags. */
function byTag(services: TemplateValue): TemplateValue {
  const map = new Map<string, TemplateValue[]>();
  for (const one of listOf(services)) {
    const tags = one instanceof TemplateStruct ? (one.fields.get("Tags") ?? null) : fail("needs services");
    for (const tag of listOf(tags)) map.set(textOf(tag), [...(map.get(textOf(tag)) ?? []), one]);
  }
  return map;
}

function encoded(text: string, isForUrls: boolean): string {
  const plain = btoa(String.fromCharCode(...new TextEncoder().encode(text)));
  return isForUrls ? plain.replaceAll("+", "-").replaceAll("/", "_") : plain;
}

function decoded(text: string): string {
  try {
    const binary = atob(text.replaceAll("-", "+").replaceAll("_", "/"));
    return new TextDecoder().decode(Uint8Array.from(binary, (one) => one.charCodeAt(0)));
  } catch {
    return fail("the text is no base64");
  }
}

const signsOfHtml: Readonly<Record<string, string>> = { "<": "\\u003c", ">": "\\u003e", "&": "\\u0026" };

function json(value: TemplateValue, isPretty: boolean, isEscaped: boolean): string {
  const text = JSON.stringify(plainJson(value), undefined, isPretty ? 2 : undefined);
  return isEscaped ? text.replace(/[<>&]/g, (sign) => signsOfHtml[sign] ?? sign) : text;
}

/** Functions of their arguments alone, each O(its arguments). Counts of arguments are checked before. */
export const pureFunctions: Readonly<Record<string, (given: Given) => TemplateValue>> = {
  not: ([a = null]) => !isTrue(a),
  eq: ([a = null, ...others]) => others.some((other) => isEqual(a, other)),
  ne: ([a = null, b = null]) => !isEqual(a, b),
  lt: ([a = null, b = null]) => isLess(a, b),
  le: ([a = null, b = null]) => !isLess(b, a),
  gt: ([a = null, b = null]) => isLess(b, a),
  ge: ([a = null, b = null]) => !isLess(a, b),
  len: ([a = null]) => lengthOf(a),
  index: ([a = null, ...keys]) => keys.reduce<TemplateValue>(at, a),
  slice: ([a = null, from, to]) => sliceOf(a, from, to),
  // Between two values of which neither is text, Go puts a space.
  print: (given) =>
    given
      .map((one, i) => (i > 0 && [one, given[i - 1]].every((a) => typeof a !== "string") ? " " : "") + shown(one))
      .join(""),
  println: (given) => `${given.map(shown).join(" ")}\n`,
  printf: ([format, ...rest]) => formatText(textOf(format), rest, fail),
  toLower: ([text]) => textOf(text).toLowerCase(),
  toUpper: ([text]) => textOf(text).toUpperCase(),
  toTitle: ([text]) =>
    textOf(text).replace(/(^|[^\p{L}\p{N}_'])(\p{L})/gu, (_, before, one) => before + one.toUpperCase()),
  trim: ([signs, text]) => trimmed(textOf(text), textOf(signs)),
  trimSpace: ([text]) => textOf(text).trim(),
  trimPrefix: ([prefix, text]) => {
    const whole = textOf(text);
    return whole.startsWith(textOf(prefix)) ? whole.slice(textOf(prefix).length) : whole;
  },
  trimSuffix: ([suffix, text]) => {
    const whole = textOf(text);
    return whole.endsWith(textOf(suffix)) ? whole.slice(0, whole.length - textOf(suffix).length) : whole;
  },
  split: ([separator, text]) => (text === "" ? [] : textOf(text).split(textOf(separator))),
  splitToMap: ([separator, between, text]) => splitToMap(textOf(separator), textOf(between), textOf(text)),
  join: ([separator, list]) => listOf(list).map(textOf).join(textOf(separator)),
  replaceAll: ([from, to, text]) => textOf(text).replaceAll(textOf(from), () => textOf(to)),
  indent: ([count, text]) => {
    const width = numberOf(count);
    if (!(width >= 0 && width <= 1_000)) return fail("indents by 0 to 1000");
    return textOf(text).replace(/^(?=.)/gm, " ".repeat(width));
  },
  regexMatch: ([pattern, text]) => matches(textOf(pattern), textOf(text)),
  base64Encode: ([text]) => encoded(textOf(text), false),
  base64Decode: ([text]) => decoded(textOf(text)),
  base64URLEncode: ([text]) => encoded(textOf(text), true),
  base64URLDecode: ([text]) => decoded(textOf(text)),
  contains: ([one = null, list = null]) => isIn(list, one),
  in: ([list = null, one = null]) => isIn(list, one),
  containsAll: ([wanted = null, list = null]) => has(list, wanted, "every"),
  containsAny: ([wanted = null, list = null]) => has(list, wanted, "some"),
  containsNone: ([wanted = null, list = null]) => !has(list, wanted, "some"),
  containsNotAll: ([wanted = null, list = null]) => !has(list, wanted, "every"),
  loop: ([a, b]) => (b === undefined ? loop(0, numberOf(a)) : loop(numberOf(a), numberOf(b))),
  byTag: ([services = null]) => byTag(services),
  parseBool: ([text]) => {
    const word = textOf(text);
    if (/^(1|t|T|true|TRUE|True)$/.test(word)) return true;
    return /^(0|f|F|false|FALSE|False|)$/.test(word) ? false : fail("the text is neither true nor false");
  },
  parseFloat: ([text]) => (textOf(text) === "" ? 0 : numberOf(textOf(text))),
  parseInt: ([text]) => (textOf(text) === "" ? 0 : wholeNumber(textOf(text), /^[+-]?\d+$/)),
  parseUint: ([text]) => (textOf(text) === "" ? 0 : wholeNumber(textOf(text), /^\d+$/)),
  parseJSON: ([text]) => parsedJson(textOf(text)),
  toJSON: ([a = null]) => json(a, false, true),
  toJSONPretty: ([a = null]) => json(a, true, true),
  toUnescapedJSON: ([a = null]) => json(a, false, false),
  toUnescapedJSONPretty: ([a = null]) => json(a, true, false),
  // The first argument is the second operand, so that "5 | subtract 2" reads as it should.
  add: ([b, a]) => numberOf(a) + numberOf(b),
  subtract: ([b, a]) => numberOf(a) - numberOf(b),
  multiply: ([b, a]) => numberOf(a) * numberOf(b),
  divide: ([b, a]) => divided(numberOf(b), numberOf(a)),
  modulo: ([b, a]) => (numberOf(b) === 0 ? fail("can't divide by 0") : numberOf(a) % numberOf(b)),
  minimum: ([b, a]) => Math.min(numberOf(a), numberOf(b)),
  maximum: ([b, a]) => Math.max(numberOf(a), numberOf(b)),
};

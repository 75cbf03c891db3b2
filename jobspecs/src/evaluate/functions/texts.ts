import { boolValue, listValue, numberValue, stringValue, toNumber, toText, type Value } from "../value.ts";
import {
  boolOf,
  FunctionFailure,
  type FunctionTable,
  integerOf,
  listOf,
  many,
  textLengthMax,
  textOf,
  textsOf,
} from "./kit.ts";

const graphemes = (text: string): string[] => {
  const segmenter = new Intl.Segmenter("en", { granularity: "grapheme" });
  return [...segmenter.segment(text)].map((segment) => segment.segment);
};

const one = (change: (text: string) => string) => ({
  min: 1,
  max: 1,
  run: (args: readonly Value[]) => stringValue(change(textOf(args, 0))),
});

const two = (change: (text: string, other: string) => string) => ({
  min: 2,
  max: 2,
  run: (args: readonly Value[]) => stringValue(change(textOf(args, 0), textOf(args, 1))),
});

const test = (holds: (text: string, other: string) => boolean) => ({
  min: 2,
  max: 2,
  run: (args: readonly Value[]) => boolValue(holds(textOf(args, 0), textOf(args, 1))),
});

/** The pieces as one text, unless that is too long: asked before it is made. */
function joined(pieces: readonly string[], between: string): Value {
  let length = between.length * Math.max(0, pieces.length - 1);
  for (const piece of pieces) length += piece.length;
  if (length > textLengthMax) throw new FunctionFailure("the result is too long");
  return stringValue(pieces.join(between));
}

export const textFunctions: FunctionTable = {
  chomp: one((text) => text.replace(/[\r\n]+$/, "")),
  lower: one((text) => text.toLowerCase()),
  upper: one((text) => text.toUpperCase()),
  title: one((text) =>
    text.replace(/(^|[^\p{L}\p{N}_'])(\p{L})/gu, (_, before, letter) => before + letter.toUpperCase()),
  ),
  trimspace: one((text) => text.trim()),
  strrev: one((text) => graphemes(text).reverse().join("")),
  reverse: {
    min: 1,
    max: 1,
    run: (args) =>
      args[0]?.kind === "list"
        ? listValue([...args[0].items].reverse())
        : stringValue(graphemes(textOf(args, 0)).reverse().join("")),
  },
  trim: two((text, signs) => trimStart(trimEnd(text, signs), signs)),
  startswith: test((text, prefix) => text.startsWith(prefix)),
  endswith: test((text, suffix) => text.endsWith(suffix)),
  trimprefix: two((text, prefix) => (text.startsWith(prefix) ? text.slice(prefix.length) : text)),
  trimsuffix: two((text, suffix) => (suffix !== "" && text.endsWith(suffix) ? text.slice(0, -suffix.length) : text)),
  strlen: { min: 1, max: 1, run: (args) => numberValue(graphemes(textOf(args, 0)).length) },
  substr: {
    min: 3,
    max: 3,
    run: (args) => {
      const all = graphemes(textOf(args, 0));
      const offset = integerOf(args, 1);
      const length = integerOf(args, 2);
      const start = offset < 0 ? Math.max(0, all.length + offset) : offset;
      return stringValue(all.slice(start, length < 0 ? undefined : start + length).join(""));
    },
  },
  split: {
    min: 2,
    max: 2,
    run: (args) => listValue(textOf(args, 1).split(textOf(args, 0)).map(stringValue)),
  },
  join: {
    min: 2,
    max: many,
    run: (args) =>
      joined(
        args.slice(1).flatMap((_, index) => textsOf(args, index + 1)),
        textOf(args, 0),
      ),
  },
  replace: {
    min: 3,
    max: 3,
    run: (args) => joined(textOf(args, 0).split(textOf(args, 1)), textOf(args, 2)),
  },
  indent: {
    min: 2,
    max: 2,
    run: (args) => {
      const spaces = integerOf(args, 0);
      if (spaces < 0 || spaces > 1000) throw new FunctionFailure("indents by 0 to 1000 spaces", 0);
      return joined(textOf(args, 1).split("\n"), `\n${" ".repeat(spaces)}`);
    },
  },
  format: { min: 1, max: many, run: (args) => stringValue(format(textOf(args, 0), args.slice(1))) },
  formatlist: {
    min: 1,
    max: many,
    run: (args) => {
      const lengths = args.slice(1).flatMap((value) => (value.kind === "list" ? [value.items.length] : []));
      const length = lengths[0] ?? 1;
      if (lengths.some((other) => other !== length)) throw new FunctionFailure("the lists differ in length", 1);
      const rows = Array.from({ length }, (_, row) =>
        args
          .slice(1)
          .map((value, index) => (value.kind === "list" ? (listOf(args, index + 1).items[row] ?? value) : value)),
      );
      return listValue(rows.map((row) => stringValue(format(textOf(args, 0), row))));
    },
  },
  urlencode: one((text) =>
    encodeURIComponent(text)
      .replace(/%20/g, "+")
      .replace(/[!'()*]/g, hexEscape),
  ),
};

const hexEscape = (sign: string): string => `%${sign.charCodeAt(0).toString(16).toUpperCase()}`;

function trimStart(text: string, signs: string): string {
  let at = 0;
  while (at < text.length && signs.includes(text[at] ?? "")) at++;
  return text.slice(at);
}

function trimEnd(text: string, signs: string): string {
  let at = text.length;
  while (at > 0 && signs.includes(text[at - 1] ?? "")) at--;
  return text.slice(0, at);
}

/** The verbs %s %v %q %d %f %t %x %X %o %b %e %% with flags, width and precision. */
function format(template: string, args: readonly Value[]): string {
  let used = 0;
  let length = 0;
  const output = template.replace(
    /%(?:%|([-+ 0]*)(\d*)(?:\.(\d+))?([a-zA-Z]))/g,
    (whole, flags: string | undefined, width: string, precision: string | undefined, verb: string) => {
      if (whole === "%%") return "%";
      const value = args[used++];
      if (!value) throw new FunctionFailure(`"${whole}" has no argument`, 0);
      const text = formatOne(value, verb, precision, used, whole);
      const signed = flags?.includes("+") && /[dfe]/.test(verb) && !text.startsWith("-") ? `+${text}` : text;
      const size = Math.min(Number(width || 0), 1000);
      length += Math.max(size, signed.length);
      if (length > textLengthMax) throw new FunctionFailure("the result is too long");
      if (flags?.includes("-")) return signed.padEnd(size);
      return flags?.includes("0") ? padZero(signed, size) : signed.padStart(size);
    },
  );
  if (used < args.length) throw new FunctionFailure("more arguments than verbs", used + 1);
  if (output.length > textLengthMax) throw new FunctionFailure("the result is too long");
  return output;
}

function padZero(text: string, size: number): string {
  const sign = /^[+-]/.test(text) ? (text[0] ?? "") : "";
  return sign + text.slice(sign.length).padStart(size - sign.length, "0");
}

function formatOne(value: Value, verb: string, precision: string | undefined, argument: number, whole: string): string {
  const text = toText(value);
  const number = toNumber(value);
  const needNumber = (): number => {
    if (number === undefined) throw new FunctionFailure(`"${whole}" needs a number`, argument);
    return number;
  };
  switch (verb) {
    case "s":
    case "v": {
      if (text === undefined) throw new FunctionFailure(`"${whole}" needs text`, argument);
      return precision === undefined ? text : graphemes(text).slice(0, Number(precision)).join("");
    }
    case "q":
      return JSON.stringify(text ?? "");
    case "t":
      return String(boolOf([value], 0));
    case "d":
      return String(Math.trunc(needNumber()));
    case "f":
      return needNumber().toFixed(Math.min(Number(precision ?? 6), 100));
    case "e":
      return needNumber()
        .toExponential(Math.min(Number(precision ?? 6), 100))
        .replace(/e([+-])(\d)$/, "e$10$2");
    case "x":
      return Math.trunc(needNumber()).toString(16);
    case "X":
      return Math.trunc(needNumber()).toString(16).toUpperCase();
    case "o":
      return Math.trunc(needNumber()).toString(8);
    case "b":
      return Math.trunc(needNumber()).toString(2);
    default:
      throw new FunctionFailure(`"${whole}" is no verb`, 0);
  }
}

import { plainJson, shown, type TemplateValue } from "./values.ts";

/** Signs that one value of a format may be filled up to. */
const widthMax = 1_000;

/** printf as far as templates use it: %v %s %d %q %t %f %e %g %x %X %o %b %c, with flags, width and precision. O(length). */
export function formatText(format: string, given: readonly TemplateValue[], fail: (message: string) => never): string {
  let next = 0;
  const made = format.replace(
    /%([-+# 0]*)(\d*)(?:\.(\d*))?(.)?/gsu,
    (whole, flags: string, width: string, precision, verb) => {
      if (verb === "%") return "%";
      if (verb === undefined) return fail(`"${whole}" is no verb`);
      const value = given[next++];
      if (value === undefined) return fail(`"${whole}" has no value`);
      if (Number(width) > widthMax || Number(precision ?? 0) > widthMax)
        return fail(`"${whole}" is wider than ${widthMax}`);
      const text = formatOne(verb, value, precision === undefined ? undefined : Number(precision), flags, fail);
      return filled(text, Number(width), flags);
    },
  );
  return next < given.length ? fail(`has ${given.length} values for ${next} verbs`) : made;
}

function formatOne(
  verb: string,
  value: TemplateValue,
  precision: number | undefined,
  flags: string,
  fail: (message: string) => never,
): string {
  const number = (): number => (typeof value === "number" ? value : fail(`%${verb} needs a number`));
  const whole = (): number => (Number.isInteger(number()) ? number() : fail(`%${verb} needs a whole number`));
  const signed = (text: string): string => (flags.includes("+") && !text.startsWith("-") ? `+${text}` : text);
  switch (verb) {
    case "v":
    case "s":
      return precision === undefined ? shown(value) : [...shown(value)].slice(0, precision).join("");
    case "d":
      return signed(String(whole()));
    case "q":
      return JSON.stringify(typeof value === "string" ? value : plainJson(value));
    case "t":
      return typeof value === "boolean" ? String(value) : fail("%t needs true or false");
    case "f":
      return signed(number().toFixed(Math.min(100, precision ?? 6)));
    case "e":
      return signed(
        number()
          .toExponential(Math.min(100, precision ?? 6))
          .replace(/e([+-])(\d)$/, "e$10$2"),
      );
    case "g":
      return signed(String(number()));
    case "x":
    case "X": {
      const text =
        typeof value === "string"
          ? [...new TextEncoder().encode(value)].map((byte) => byte.toString(16).padStart(2, "0")).join("")
          : whole().toString(16);
      return verb === "x" ? text : text.toUpperCase();
    }
    case "o":
      return whole().toString(8);
    case "b":
      return whole().toString(2);
    case "c":
      return String.fromCodePoint(Math.min(0x10ffff, Math.max(0, whole())));
    default:
      return fail(`%${verb} is not known`);
  }
}

function filled(text: string, width: number, flags: string): string {
  if (flags.includes("-")) return text.padEnd(width);
  if (!flags.includes("0")) return text.padStart(width);
  const sign = /^[+-]/.exec(text)?.[0] ?? "";
  return sign + text.slice(sign.length).padStart(width - sign.length, "0");
}

import { stringValue } from "../value.ts";
import { FunctionFailure, type FunctionTable, textOf } from "./kit.ts";

const unitMs: Readonly<Record<string, number>> = {
  ns: 1e-6,
  us: 1e-3,
  µs: 1e-3,
  ms: 1,
  s: 1000,
  m: 60_000,
  h: 3_600_000,
};

/** Go style, e.g. "1h30m" or "-1.5s", in milliseconds; undefined if it is none. */
export function parseDuration(text: string): number | undefined {
  if (text === "0") return 0;
  const body = /^[+-]/.test(text) ? text.slice(1) : text;
  if (!/^(\d+(\.\d*)?(ns|us|µs|ms|s|m|h))+$/.test(body)) return undefined;
  let total = 0;
  for (const [, amount, , unit] of body.matchAll(/(\d+(\.\d*)?)(ns|us|µs|ms|s|m|h)/g)) {
    total += Number(amount) * (unitMs[unit ?? ""] ?? 0);
  }
  return text.startsWith("-") ? -total : total;
}

function instant(text: string, argument: number): Date {
  const isForm = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)$/.test(text);
  const ms = isForm ? Date.parse(text) : Number.NaN;
  if (Number.isNaN(ms)) throw new FunctionFailure("needs a time such as 2026-01-31T09:00:00Z", argument);
  return new Date(ms);
}

const days = ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"];
const months = "January February March April May June July August September October November December".split(" ");
const two = (number: number): string => String(number).padStart(2, "0");

function field(sign: string, count: number, at: Date): string | undefined {
  const numeric = (number: number): string => (count === 2 ? two(number) : String(number));
  switch (sign) {
    case "Y":
      return count === 2 ? two(at.getUTCFullYear() % 100) : String(at.getUTCFullYear()).padStart(4, "0");
    case "M": {
      const name = months[at.getUTCMonth()] ?? "";
      return count === 4 ? name : count === 3 ? name.slice(0, 3) : numeric(at.getUTCMonth() + 1);
    }
    case "D":
      return numeric(at.getUTCDate());
    case "E": {
      const name = days[at.getUTCDay()] ?? "";
      return count === 4 ? name : name.slice(0, 3);
    }
    case "h":
      return numeric(at.getUTCHours());
    case "H":
      return numeric(at.getUTCHours() % 12 || 12);
    case "A":
      return at.getUTCHours() < 12 ? "AM" : "PM";
    case "a":
      return at.getUTCHours() < 12 ? "am" : "pm";
    case "m":
      return numeric(at.getUTCMinutes());
    case "s":
      return numeric(at.getUTCSeconds());
    case "Z":
      return count === 1 ? "Z" : count === 3 ? "UTC" : count === 4 ? "+0000" : "+00:00";
    default:
      return undefined;
  }
}

/** The time is shown in UTC. */
function formatDate(pattern: string, at: Date): string {
  return pattern.replace(/'((?:[^']|'')*)'|([A-Za-z])\2*/g, (whole, literal: string | undefined, sign: string) => {
    if (literal !== undefined) return literal === "" ? "'" : literal.replaceAll("''", "'");
    const text = field(sign, whole.length, at);
    if (text === undefined) throw new FunctionFailure(`"${whole}" is no part of a date pattern`, 0);
    return text;
  });
}

export const timeFunctions: FunctionTable = {
  timeadd: {
    min: 2,
    max: 2,
    run: (args) => {
      const ms = parseDuration(textOf(args, 1));
      if (ms === undefined) throw new FunctionFailure("needs a duration such as 1h30m", 1);
      return stringValue(new Date(instant(textOf(args, 0), 0).getTime() + ms).toISOString().replace(/\.000Z$/, "Z"));
    },
  },
  timestamp: { min: 0, max: 0, run: (_, { now }) => stringValue(now()) },
  formatdate: { min: 2, max: 2, run: (args) => stringValue(formatDate(textOf(args, 0), instant(textOf(args, 1), 1))) },
};

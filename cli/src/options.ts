import { usageError } from "./cli-error.ts";
import type { Options } from "./command.ts";

/** What commander found, with the checks that every command wants. */
export function optionsOf(values: Readonly<Record<string, unknown>>): Options {
  const text = (name: string): string | undefined => {
    const value = values[name];
    return typeof value === "string" ? value : undefined;
  };
  return {
    text,
    flag: (name) => values[name] === true,
    list: (name) => {
      const value = values[name];
      return Array.isArray(value) ? (value as string[]) : [];
    },
    integer: (name) => {
      const value = text(name);
      if (value === undefined) return undefined;
      if (!/^\d{1,15}$/.test(value)) throw usageError(`${flagOf(name)} needs a whole number, not "${value}"`);
      return Number(value);
    },
    durationMs: (name) => {
      const value = text(name);
      if (value === undefined) return undefined;
      const parsed = parseDurationMs(value);
      if (parsed === undefined)
        throw usageError(`${flagOf(name)} needs a duration such as 90s, 5m or 1h30m, not "${value}"`);
      return parsed;
    },
  };
}

const unitMs: Readonly<Record<string, number>> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/** "1h30m" as milliseconds; a bare number counts seconds; undefined if it is no duration. */
export function parseDurationMs(text: string): number | undefined {
  if (/^\d+(\.\d+)?$/.test(text)) return Math.round(Number(text) * 1_000);
  if (!/^(\d+(\.\d+)?(ms|s|m|h|d))+$/.test(text)) return undefined;
  let sum = 0;
  for (const [, amount, , unit] of text.matchAll(/(\d+(\.\d+)?)(ms|s|m|h|d)/g)) {
    sum += Number(amount) * (unitMs[unit ?? ""] ?? 0);
  }
  return Math.round(sum);
}

function flagOf(name: string): string {
  return `--${name.replace(/[A-Z]/g, (capital) => `-${capital.toLowerCase()}`)}`;
}

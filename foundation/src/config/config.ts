import { invalid, type MusterError } from "../errors/muster-error.ts";
import { suggest } from "../text/suggest.ts";

/** One thing that can be set. `parse` takes what a file, the environment or a flag gave, and throws if it is wrong. */
export interface Option<T> {
  readonly kind: string;
  readonly default: T;
  /** One line for help and docs; the unit stands in the name. */
  readonly help: string;
  parse(value: unknown, name: string): T;
}

export type Schema = Readonly<Record<string, Option<unknown>>>;
export type ValuesOf<S extends Schema> = { readonly [K in keyof S]: S[K] extends Option<infer T> ? T : never };

/** Where a value came from; the later wins. */
export type Origin = "default" | "file" | "environment" | "flag";

export interface Resolved<S extends Schema> {
  readonly values: ValuesOf<S>;
  readonly origins: { readonly [K in keyof S]: Origin };
}

export interface Sources {
  /** Keys as in a file: `offer_timeout_ms`. */
  readonly file?: Readonly<Record<string, unknown>>;
  /** Keys as in the environment: `MUSTER_OFFER_TIMEOUT_MS`. Others are none of our business. */
  readonly environment?: Readonly<Record<string, string | undefined>>;
  /** Keys as in the schema; undefined ones are not set. */
  readonly flags?: Readonly<Record<string, unknown>>;
}

/** A whole number within its range. */
export function integerOption(value: number, help: string, range: { min?: number; max?: number } = {}): Option<number> {
  const { min = 0, max = Number.MAX_SAFE_INTEGER } = range;
  return {
    kind: "integer",
    default: value,
    help,
    parse(given, name) {
      const number = typeof given === "string" && /^-?\d+$/.test(given.trim()) ? Number(given) : given;
      if (typeof number !== "number" || !Number.isSafeInteger(number))
        throw invalid(name, `needs a whole number, not ${JSON.stringify(given)}`);
      if (number < min || number > max) throw invalid(name, `needs a number from ${min} to ${max}, not ${number}`);
      return number;
    },
  };
}

export function textOption(value: string, help: string, choices?: readonly string[]): Option<string> {
  return {
    kind: choices ? choices.join("|") : "text",
    default: value,
    help,
    parse(given, name) {
      if (typeof given !== "string") throw invalid(name, `needs text, not ${JSON.stringify(given)}`);
      if (choices && !choices.includes(given))
        throw invalid(name, `needs one of ${choices.join(", ")}, not "${given}"`);
      return given;
    },
  };
}

export function flagOption(value: boolean, help: string): Option<boolean> {
  return {
    kind: "boolean",
    default: value,
    help,
    parse(given, name) {
      if (given === true || given === "true" || given === "1") return true;
      if (given === false || given === "false" || given === "0") return false;
      throw invalid(name, `needs true or false, not ${JSON.stringify(given)}`);
    },
  };
}

/** Texts; in the environment and in flags separated by commas. */
export function listOption(value: readonly string[], help: string): Option<readonly string[]> {
  return {
    kind: "list",
    default: value,
    help,
    parse(given, name) {
      const list = typeof given === "string" ? given.split(",").filter((item) => item !== "") : given;
      if (!Array.isArray(list) || list.some((item) => typeof item !== "string"))
        throw invalid(name, `needs a list of texts, not ${JSON.stringify(given)}`);
      return list as string[];
    },
  };
}

/** `offerTimeoutMs` as it is written in a file. */
export function fileKey(name: string): string {
  return name.replaceAll("MiB", "Mib").replace(/[A-Z]/g, (capital) => `_${capital.toLowerCase()}`);
}

/** `offerTimeoutMs` as it is written in the environment. */
export function environmentKey(name: string): string {
  return `MUSTER_${fileKey(name).toUpperCase()}`;
}

/** `offerTimeoutMs` as it is written on a command line, without the dashes before it. */
export function flagKey(name: string): string {
  return fileKey(name).replaceAll("_", "-");
}

/**
 * Defaults < file < environment < flags. The values are frozen.
 *
 * @throws MusterError of kind `invalid` for a wrong value, and for an unknown key in a file or flag, with a suggestion.
 */
export function resolveConfig<S extends Schema>(schema: S, sources: Sources): Resolved<S> {
  const values: Record<string, unknown> = {};
  const origins: Record<string, Origin> = {};
  const names = Object.keys(schema);
  const byFileKey = new Map(names.map((name) => [fileKey(name), name]));
  for (const key of Object.keys(sources.file ?? {}))
    if (!byFileKey.has(key)) throw unknownKey(key, "in the configuration file", byFileKey.keys());
  for (const key of Object.keys(sources.flags ?? {}))
    if (!(key in schema)) throw unknownKey(flagKey(key), "on the command line", names.map(flagKey));
  for (const name of names) {
    const option = schema[name] as Option<unknown>;
    const given: readonly [Origin, unknown, string][] = [
      ["flag", sources.flags?.[name], `--${flagKey(name)}`],
      ["environment", sources.environment?.[environmentKey(name)], environmentKey(name)],
      ["file", sources.file?.[fileKey(name)], fileKey(name)],
    ];
    const found = given.find(([, value]) => value !== undefined);
    values[name] = found ? option.parse(found[1], found[2]) : option.default;
    origins[name] = found ? found[0] : "default";
  }
  return { values: Object.freeze(values) as ValuesOf<S>, origins: origins as Resolved<S>["origins"] };
}

function unknownKey(key: string, where: string, candidates: Iterable<string>): MusterError {
  const meant = suggest(key, candidates);
  return invalid(key, `unknown option ${where}${meant === undefined ? "" : `; did you mean "${meant}"?`}`);
}

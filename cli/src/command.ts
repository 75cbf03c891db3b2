import type { Output } from "./output/output.ts";

/** One thing that can be typed after a command's name. */
export interface OptionSpec {
  /** As commander reads it, for instance "--timeout <duration>". */
  readonly flags: string;
  readonly help: string;
  readonly default?: string;
  /** May be given several times. */
  readonly repeat?: true;
  /** Works, but is not shown. */
  readonly hidden?: true;
}

export interface ArgumentSpec {
  /** As commander reads it, for instance "<file>" or "[names...]". */
  readonly name: string;
  readonly help: string;
}

/** All that help, docs and the parser need to know of a command; its work is loaded when it is used. */
export interface CommandSpec {
  /** Noun and verb, for instance "job run". */
  readonly path: string;
  readonly aliases?: readonly string[];
  readonly summary: string;
  /** More than one line, for the command's own help. */
  readonly details?: string;
  readonly arguments: readonly ArgumentSpec[];
  readonly options: readonly OptionSpec[];
  /** Three lines that work, without "muster ". */
  readonly examples: readonly [string, string, string];
  /** What the caller must be allowed to do, for instance "job:submit"; "none". */
  readonly capability: string;
  readonly exits: readonly number[];
  /** Sentences instead of the usual ones, by exit code or word. */
  readonly exitNotes?: readonly string[];
  /** Left out of the short help. */
  readonly hidden?: true;
  /** Goes on when nobody reads its output any more. */
  readonly outlivesReader?: true;
  /** Its own schema name in `--json`, for instance "muster.job.status/1". */
  readonly schema: string;
  readonly load: () => Promise<CommandModule>;
}

export interface CommandModule {
  /** Does it, and says how it ended: the exit code. */
  run(invocation: Invocation): Promise<number>;
}

/** One use of a command. */
export interface Invocation {
  readonly args: readonly string[];
  readonly options: Options;
  readonly out: Output;
  readonly environment: Readonly<Record<string, string | undefined>>;
}

/** What was given, by name in camelCase. */
export interface Options {
  text(name: string): string | undefined;
  flag(name: string): boolean;
  list(name: string): readonly string[];
  /** A whole number, or nothing. */
  integer(name: string): number | undefined;
  /** Milliseconds of a text such as "90s", "5m", "1h30m"; a bare number counts seconds. */
  durationMs(name: string): number | undefined;
}

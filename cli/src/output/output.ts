import type { CliError } from "../cli-error.ts";
import { type Style, styleFor } from "./style.ts";

export interface OutputOptions {
  /** The name of what is printed, for instance "muster.job.status/1". */
  schema: string;
  json: boolean;
  colour: boolean;
  debug: boolean;
  environment: Readonly<Record<string, string | undefined>>;
}

/** A text stream of this process, or one of a test. */
export interface Sink {
  write(text: string): unknown;
  readonly isTTY?: boolean | undefined;
  readonly columns?: number | undefined;
}

/** Where a command's results and remarks go: data to standard output, talk to standard error. */
export class Output {
  readonly json: boolean;
  readonly debug: boolean;
  /** Colours of standard output. */
  readonly style: Style;
  /** Colours of standard error. */
  readonly talkStyle: Style;
  readonly #schema: string;
  readonly #stdout: Sink;
  readonly #stderr: Sink;
  readonly #warnings: string[] = [];

  constructor(options: OutputOptions, stdout: Sink = process.stdout, stderr: Sink = process.stderr) {
    this.json = options.json;
    this.debug = options.debug;
    this.#schema = options.schema;
    this.#stdout = stdout;
    this.#stderr = stderr;
    this.style = styleFor(stdout, options.environment, options.colour);
    this.talkStyle = styleFor(stderr, options.environment, options.colour);
  }

  /** Whether a person reads standard output. */
  get isTerminal(): boolean {
    return this.#stdout.isTTY === true;
  }

  /** Whether progress may be redrawn in place. */
  get talksToTerminal(): boolean {
    return this.#stderr.isTTY === true;
  }

  get columns(): number {
    return this.#stdout.columns ?? 120;
  }

  /** A line of the result for people; nothing in JSON. */
  line(text = ""): void {
    if (!this.json) this.#stdout.write(`${text}\n`);
  }

  /** Text of the result just as it is, with or without JSON: logs and the output of commands. */
  raw(text: string): void {
    this.#stdout.write(text);
  }

  /** The result for programs; nothing without --json. Several calls make lines of JSON. */
  data(value: unknown): void {
    if (!this.json) return;
    this.#stdout.write(`${JSON.stringify({ schema: this.#schema, data: value, warnings: this.#warnings })}\n`);
  }

  /** A remark for people, on standard error, so that it never mixes with data. */
  say(text: string): void {
    if (!this.json) this.#stderr.write(`${text}\n`);
  }

  /** Redraws the last line of the talk; only where a terminal listens. */
  redraw(text: string): void {
    if (!this.json && this.talksToTerminal) this.#stderr.write(`\r\u001b[2K${text}`);
  }

  warn(text: string): void {
    this.#warnings.push(text);
    this.say(`${this.talkStyle.paint("yellow", "warning:")} ${text}`);
  }

  /** The next useful command. */
  next(command: string): void {
    this.say(this.talkStyle.paint("dim", `next: ${command}`));
  }

  error(error: CliError): void {
    if (this.json) {
      const { kind, message, hint, field, code } = error;
      this.#stdout.write(
        `${JSON.stringify({
          schema: this.#schema,
          data: null,
          warnings: this.#warnings,
          error: { kind, message, exit: code, ...(hint === undefined ? {} : { hint }), ...(field ? { field } : {}) },
        })}\n`,
      );
    } else {
      const tail = error.hint === undefined ? "" : ` try: ${error.hint}`;
      const stop = tail === "" || /[.?!]$/.test(error.message) ? "" : ".";
      this.#stderr.write(`${this.talkStyle.paint("red", "error:")} ${error.message}${stop}${tail}\n`);
    }
    if (this.debug) this.#stderr.write(`${error.stack ?? ""}\n${describeCause(error.cause)}`);
  }
}

function describeCause(cause: unknown): string {
  if (cause === undefined) return "";
  return `caused by: ${cause instanceof Error ? (cause.stack ?? cause.message) : String(cause)}\n`;
}

import type { MusterError } from "@muster/foundation";
import type { LogSink, OutputStream } from "../../world/task-files.ts";
import type { Matcher } from "./matcher.ts";

/** Bytes of a line that are judged together. A longer one is judged in pieces. */
export const grepLineBytesMax = 16 * 1024;
/** Bytes of matching lines that are kept back while the last of them are looked for; beyond, the oldest are dropped. */
export const grepTailBytesMax = 4 * 1024 * 1024;

interface Line {
  readonly stream: OutputStream;
  readonly bytes: Buffer;
  readonly at: number;
}

interface Unfinished {
  bytes: Buffer;
  at: number;
}

/** Passes on only the lines that match, whole; with `tailLines` only the last so many of what there was at first. */
export class GrepSink implements LogSink {
  readonly #sink: LogSink;
  readonly #matcher: Matcher;
  readonly #unfinished = new Map<OutputStream, Unfinished>();
  #tails: Map<OutputStream, Tail> | undefined;
  readonly #tailLines: number;

  constructor(matcher: Matcher, tailLines: number | undefined, sink: LogSink) {
    this.#matcher = matcher;
    this.#sink = sink;
    this.#tailLines = tailLines ?? 0;
    this.#tails = tailLines === undefined ? undefined : new Map();
  }

  ready(): boolean {
    return this.#sink.ready();
  }

  data(stream: OutputStream, bytes: Buffer, at: number): void {
    const before = this.#unfinished.get(stream);
    let rest = before ? Buffer.concat([before.bytes, bytes]) : bytes;
    let restAt = before?.at ?? at;
    const found: Line[] = [];
    for (;;) {
      const newline = rest.indexOf(10);
      const length = newline < 0 ? rest.length : newline + 1;
      if (newline < 0 && rest.length <= grepLineBytesMax) break;
      const taken = Math.min(length, grepLineBytesMax);
      const line = rest.subarray(0, taken);
      if (this.#isWanted(line)) found.push({ stream, bytes: line, at: restAt });
      rest = rest.subarray(taken);
      restAt = at;
    }
    // Copied: the rest must not keep the whole piece alive.
    if (rest.length > 0) this.#unfinished.set(stream, { bytes: Buffer.from(rest), at: restAt });
    else this.#unfinished.delete(stream);
    this.#pass(found);
  }

  lost(stream: OutputStream): void {
    this.#unfinished.delete(stream);
    this.#sink.lost(stream);
  }

  caughtUp(): void {
    const tails = this.#tails;
    this.#tails = undefined;
    for (const tail of tails?.values() ?? []) this.#pass(tail.lines);
    this.#sink.caughtUp();
  }

  end(error?: MusterError): void {
    for (const [stream, { bytes, at }] of this.#unfinished)
      if (this.#isWanted(bytes)) this.#pass([{ stream, bytes, at }]);
    if (this.#tails) this.caughtUp();
    this.#sink.end(error);
  }

  #isWanted(line: Buffer): boolean {
    return this.#matcher.matches(line.toString().replace(/\r?\n$/, ""));
  }

  /** Lines of one time go on together. */
  #pass(lines: readonly Line[]): void {
    if (this.#tails) {
      for (const line of lines) {
        const tail = this.#tails.get(line.stream) ?? new Tail(this.#tailLines);
        this.#tails.set(line.stream, tail);
        tail.add(line);
      }
      return;
    }
    for (let from = 0; from < lines.length; ) {
      const first = lines[from] as Line;
      let to = from + 1;
      while (lines[to]?.at === first.at && lines[to]?.stream === first.stream) to++;
      const bytes = Buffer.concat(lines.slice(from, to).map((line) => line.bytes));
      this.#sink.data(first.stream, bytes, first.at);
      from = to;
    }
  }
}

/** The last lines that were added. */
class Tail {
  readonly #countMax: number;
  #lines: Line[] = [];
  #dropped = 0;
  #bytes = 0;

  constructor(countMax: number) {
    this.#countMax = countMax;
  }

  get lines(): readonly Line[] {
    return this.#lines.slice(this.#dropped);
  }

  add(line: Line): void {
    // Copied: a line must not keep the piece alive that it came in.
    this.#lines.push({ ...line, bytes: Buffer.from(line.bytes) });
    this.#bytes += line.bytes.length;
    while (this.#lines.length - this.#dropped > this.#countMax || this.#bytes > grepTailBytesMax)
      this.#bytes -= this.#lines[this.#dropped++]?.bytes.length ?? 0;
    if (this.#dropped * 2 <= this.#lines.length) return;
    this.#lines = this.#lines.slice(this.#dropped);
    this.#dropped = 0;
  }
}

import { promises as fs } from "node:fs";
import type { OutputStream } from "../world/task-files.ts";
import { GrowingTimes, offsetSince } from "./log-times.ts";

/** Bytes read at a time. */
export const chunkBytes = 64 * 1024;

/** A byte of a stream: the number of a file, and where in it. */
export interface LogPlace {
  readonly number: number;
  readonly offset: number;
}

/** The files of one task's output: "<stream>.<number>", numbered upwards and never renamed. */
export class LogFolder {
  readonly path: string;
  readonly #buffer = Buffer.allocUnsafe(chunkBytes);

  constructor(path: string) {
    this.path = path;
  }

  file(stream: OutputStream, number: number): string {
    return `${this.path}/${stream}.${number}`;
  }

  times(stream: OutputStream, number: number): GrowingTimes {
    return new GrowingTimes(`${this.path}/times.${stream}.${number}`);
  }

  /** Numbers of the files that are there, upwards. */
  async numbers(stream: OutputStream): Promise<number[]> {
    const names: string[] = await fs.readdir(this.path).catch(() => []);
    return names
      .filter((name) => name.startsWith(`${stream}.`))
      .map((name) => Number(name.slice(stream.length + 1)))
      .filter(Number.isInteger)
      .sort((a, b) => a - b);
  }

  /** Where the last so many lines begin. Reads backwards, no more than needed. */
  async findTail(stream: OutputStream, numbers: readonly number[], lines: number): Promise<LogPlace> {
    let left = lines;
    let isLastByte = true;
    for (const number of [...numbers].reverse()) {
      const file = await fs.open(this.file(stream, number)).catch(() => undefined);
      if (!file) continue;
      try {
        let end = (await file.stat()).size;
        if (lines === 0) return { number, offset: end };
        while (end > 0) {
          const begin = Math.max(0, end - chunkBytes);
          const { bytesRead } = await file.read(this.#buffer, 0, end - begin, begin);
          for (let i = bytesRead - 1; i >= 0; i--) {
            // The newline at the very end closes the last line, it does not begin another.
            if (this.#buffer[i] === 10 && !isLastByte && --left === 0) return { number, offset: begin + i + 1 };
            isLastByte = false;
          }
          end = begin;
        }
      } finally {
        await file.close();
      }
    }
    return { number: numbers[0] ?? 0, offset: 0 };
  }

  /**
   * Where the first line begins that was ended at that time or later; the end if none was. A file without noted times
   * is shown whole unless its last change was before.
   */
  async findSince(stream: OutputStream, numbers: readonly number[], sinceMs: number): Promise<LogPlace> {
    let end: LogPlace = { number: numbers[0] ?? 0, offset: 0 };
    for (const number of numbers) {
      const stat = await fs.stat(this.file(stream, number)).catch(() => undefined);
      if (!stat) continue;
      end = { number, offset: stat.size };
      if (stat.mtimeMs < sinceMs) continue;
      const entries = await this.times(stream, number).read();
      const offset = entries.length === 0 ? 0 : offsetSince(entries, sinceMs);
      if (offset !== undefined) return { number, offset: await this.#lineBegin(stream, number, offset) };
    }
    return end;
  }

  /** Back to the beginning of the line that the byte stands in, within its file. */
  async #lineBegin(stream: OutputStream, number: number, offset: number): Promise<number> {
    const begin = Math.max(0, offset - chunkBytes);
    const file = await fs.open(this.file(stream, number)).catch(() => undefined);
    if (!file || offset === 0) {
      await file?.close();
      return offset;
    }
    try {
      const { bytesRead } = await file.read(this.#buffer, 0, offset - begin, begin);
      const newline = this.#buffer.subarray(0, bytesRead).lastIndexOf(10);
      return newline < 0 ? begin : begin + newline + 1;
    } finally {
      await file.close();
    }
  }
}

/** The later of two places of one stream. */
export function laterPlace(a: LogPlace, b: LogPlace): LogPlace {
  return a.number > b.number || (a.number === b.number && a.offset >= b.offset) ? a : b;
}

import { type FSWatcher, promises as fs, watch } from "node:fs";
import { MusterError } from "@muster/foundation";
import { taskFolders } from "../agent/folders.ts";
import type { LogQuestion, LogReader, LogReading, LogSink, OutputStream } from "../world/task-files.ts";

/** Bytes read at a time. */
const chunkBytes = 64 * 1024;
/** A follower looks again so often, in case the kernel's notice was lost. */
const lookAgainMs = 2_000;
/** Lines that may be asked for from the end. */
export const tailLinesMax = 100_000;

/**
 * Reads the files that shims write: "<stream>.<number>", numbered upwards and never renamed. So a reader that has come
 * to the end of one goes on with the next that is there, and rotation can neither lose nor repeat a line.
 */
export function nodeLogReader(dataFolder: string): LogReader {
  return {
    read: (question, sink) => new Reading(taskFolders(dataFolder, question.id).logs, question, sink),
  };
}

interface Place {
  readonly stream: OutputStream;
  number: number;
  offset: number;
}

class Reading implements LogReading {
  readonly #folder: string;
  readonly #question: LogQuestion;
  readonly #sink: LogSink;
  readonly #buffer = Buffer.allocUnsafe(chunkBytes);
  #places: Place[] | undefined;
  #watcher: FSWatcher | undefined;
  #timer: NodeJS.Timeout | undefined;
  #isReading = false;
  #isAskedAgain = false;
  #isOver = false;

  constructor(folder: string, question: LogQuestion, sink: LogSink) {
    this.#folder = folder;
    this.#question = question;
    this.#sink = sink;
    if (question.follow) this.#watch();
    this.#readOn();
  }

  drained(): void {
    this.#readOn();
  }

  cancel(): void {
    this.#isOver = true;
    this.#watcher?.close();
    clearInterval(this.#timer);
  }

  #watch(): void {
    this.#watchFolder();
    this.#timer = setInterval(() => {
      this.#watchFolder();
      this.#readOn();
    }, lookAgainMs);
  }

  #watchFolder(): void {
    if (this.#watcher) return;
    try {
      this.#watcher = watch(this.#folder, () => this.#readOn());
      this.#watcher.on("error", () => {});
    } catch {
      // The folder comes with the start of the task; until then looking again has to do.
    }
  }

  #end(error?: MusterError): void {
    if (this.#isOver) return;
    this.cancel();
    this.#sink.end(error);
  }

  /** One pass at a time; what is asked for meanwhile is done by another right after. */
  #readOn(): void {
    this.#isAskedAgain = true;
    if (this.#isReading || this.#isOver) return;
    this.#isReading = true;
    this.#pass().then(
      () => {
        this.#isReading = false;
        if (this.#isAskedAgain && this.#sink.ready()) this.#readOn();
      },
      (error) => this.#end(new MusterError("internal", "the output could not be read", { cause: error })),
    );
  }

  async #pass(): Promise<void> {
    this.#isAskedAgain = false;
    // Asked before reading: what was written before the end is then read in this pass.
    const isEnded = this.#question.ended();
    this.#places ??= await this.#findPlaces();
    for (const place of this.#places) {
      while (!this.#isOver) {
        // The sink calls back when it has room; then reading goes on from here.
        if (!this.#sink.ready()) return;
        if (!(await this.#readChunk(place))) break;
      }
    }
    if (!this.#question.follow || isEnded) this.#end();
  }

  async #findPlaces(): Promise<Place[]> {
    const places: Place[] = [];
    for (const stream of this.#question.streams) {
      const numbers = await this.#numbers(stream);
      const { tailLines } = this.#question;
      places.push(
        tailLines === undefined
          ? { stream, number: numbers[0] ?? 0, offset: 0 }
          : await this.#findTail(stream, numbers, Math.min(tailLines, tailLinesMax)),
      );
    }
    return places;
  }

  async #numbers(stream: OutputStream): Promise<number[]> {
    const names: string[] = await fs.readdir(this.#folder).catch(() => []);
    return names
      .filter((name) => name.startsWith(`${stream}.`))
      .map((name) => Number(name.slice(stream.length + 1)))
      .filter(Number.isInteger)
      .sort((a, b) => a - b);
  }

  /** Where the last so many lines begin. Reads backwards, no more than needed. */
  async #findTail(stream: OutputStream, numbers: readonly number[], lines: number): Promise<Place> {
    let left = lines;
    let isLastByte = true;
    for (const number of [...numbers].reverse()) {
      const file = await fs.open(this.#path({ stream, number, offset: 0 })).catch(() => undefined);
      if (!file) continue;
      try {
        let end = (await file.stat()).size;
        if (lines === 0) return { stream, number, offset: end };
        while (end > 0) {
          const begin = Math.max(0, end - chunkBytes);
          const { bytesRead } = await file.read(this.#buffer, 0, end - begin, begin);
          for (let i = bytesRead - 1; i >= 0; i--) {
            // The newline at the very end closes the last line, it does not begin another.
            if (this.#buffer[i] === 10 && !isLastByte && --left === 0) return { stream, number, offset: begin + i + 1 };
            isLastByte = false;
          }
          end = begin;
        }
      } finally {
        await file.close();
      }
    }
    return { stream, number: numbers[0] ?? 0, offset: 0 };
  }

  /** False at the end of what there is. */
  async #readChunk(place: Place): Promise<boolean> {
    const file = await fs.open(this.#path(place)).catch((error: NodeJS.ErrnoException) => {
      if (error.code === "ENOENT") return undefined;
      throw error;
    });
    let count = 0;
    if (file) {
      try {
        count = (await file.read(this.#buffer, 0, chunkBytes, place.offset)).bytesRead;
      } finally {
        await file.close();
      }
    }
    if (count === 0) return this.#nextFile(place);
    place.offset += count;
    if (!this.#isOver) this.#sink.data(place.stream, Buffer.from(this.#buffer.subarray(0, count)));
    return true;
  }

  /** A file is complete once there is one of a higher number; what came to it before that is read first. */
  async #nextFile(place: Place): Promise<boolean> {
    const next = (await this.#numbers(place.stream)).find((number) => number > place.number);
    if (next === undefined) return false;
    const size = await fs.stat(this.#path(place)).then(
      (stat) => stat.size,
      () => 0,
    );
    if (size > place.offset) return true;
    place.number = next;
    place.offset = 0;
    return true;
  }

  #path({ stream, number }: Place): string {
    return `${this.#folder}/${stream}.${number}`;
  }
}

import { type FSWatcher, promises as fs, watch } from "node:fs";
import { MusterError } from "@muster/foundation";
import { taskFolders } from "../agent/folders.ts";
import type { LogQuestion, LogReader, LogReading, LogSink, OutputStream } from "../world/task-files.ts";
import { chunkBytes, LogFolder, type LogPlace, laterPlace } from "./log-folder.ts";
import { cutByTime, type GrowingTimes } from "./log-times.ts";

/** A follower looks again so often, in case the kernel's notice was lost. */
const lookAgainMs = 2_000;
/** Lines that may be asked for from the end. */
export const tailLinesMax = 100_000;

/**
 * Reads the files that shims write. A reader that has come to the end of one goes on with the next that is there, and
 * holds the one that it reads open, so that rotation can neither lose nor repeat a line of it.
 */
export function nodeLogReader(dataFolder: string): LogReader {
  return {
    read: (question, sink) => new Reading(new LogFolder(taskFolders(dataFolder, question.id).logs), question, sink),
  };
}

/** How far one stream has been read. */
interface Cursor {
  readonly stream: OutputStream;
  number: number;
  offset: number;
  file: fs.FileHandle | undefined;
  times: GrowingTimes | undefined;
  /** Whether something is lost if the file is not there any more. */
  isAwaited: boolean;
}

class Reading implements LogReading {
  readonly #folder: LogFolder;
  readonly #question: LogQuestion;
  readonly #sink: LogSink;
  readonly #buffer = Buffer.allocUnsafe(chunkBytes);
  #cursors: Cursor[] | undefined;
  #watcher: FSWatcher | undefined;
  #timer: NodeJS.Timeout | undefined;
  #isReading = false;
  #isAskedAgain = false;
  #isOver = false;

  constructor(folder: LogFolder, question: LogQuestion, sink: LogSink) {
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
    if (!this.#isReading) this.#closeFiles();
  }

  #closeFiles(): void {
    for (const cursor of this.#cursors ?? []) void release(cursor);
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
      this.#watcher = watch(this.#folder.path, () => this.#readOn());
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
        if (this.#isOver) this.#closeFiles();
        else if (this.#isAskedAgain && this.#sink.ready()) this.#readOn();
      },
      (error) => {
        this.#isReading = false;
        this.#end(new MusterError("internal", "the output could not be read", { cause: error }));
        this.#closeFiles();
      },
    );
  }

  async #pass(): Promise<void> {
    this.#isAskedAgain = false;
    // Asked before reading: what was written before the end is then read in this pass.
    const isEnded = this.#question.ended();
    this.#cursors ??= await this.#findCursors();
    for (const cursor of this.#cursors) {
      while (!this.#isOver) {
        // The sink calls back when it has room; then reading goes on from here.
        if (!this.#sink.ready()) return;
        if (!(await this.#readChunk(cursor)) && !(await this.#nextFile(cursor))) break;
      }
    }
    if (this.#isOver) return;
    this.#sink.caughtUp();
    if (!this.#question.follow || isEnded) this.#end();
  }

  async #findCursors(): Promise<Cursor[]> {
    const cursors: Cursor[] = [];
    for (const stream of this.#question.streams) {
      const numbers = await this.#folder.numbers(stream);
      const { tailLines, since } = this.#question;
      let place: LogPlace = { number: numbers[0] ?? 0, offset: 0 };
      if (since > 0) place = laterPlace(place, await this.#folder.findSince(stream, numbers, since));
      if (tailLines !== undefined)
        place = laterPlace(place, await this.#folder.findTail(stream, numbers, Math.min(tailLines, tailLinesMax)));
      cursors.push({ stream, ...place, file: undefined, times: undefined, isAwaited: numbers.length > 0 });
    }
    return cursors;
  }

  /** False at the end of what there is. */
  async #readChunk(cursor: Cursor): Promise<boolean> {
    if (!cursor.file) await this.#open(cursor);
    if (!cursor.file) return false;
    const { bytesRead } = await cursor.file.read(this.#buffer, 0, chunkBytes, cursor.offset);
    if (bytesRead === 0) return false;
    const bytes = Buffer.from(this.#buffer.subarray(0, bytesRead));
    // Read after the bytes: a shim notes the time of bytes before it writes them.
    const times = cursor.times ? await cursor.times.read() : [];
    for (const piece of cutByTime(bytes, cursor.offset, times))
      if (!this.#isOver) this.#sink.data(cursor.stream, piece.bytes, piece.at);
    cursor.offset += bytesRead;
    return true;
  }

  async #open(cursor: Cursor): Promise<void> {
    const { stream, number } = cursor;
    cursor.file = await fs.open(this.#folder.file(stream, number)).catch((error: NodeJS.ErrnoException) => {
      if (error.code === "ENOENT") return undefined;
      throw error;
    });
    if (cursor.file && this.#question.timestamps) cursor.times = this.#folder.times(stream, number);
  }

  /** A file is complete once there is one of a higher number; what came to it before that is read first. */
  async #nextFile(cursor: Cursor): Promise<boolean> {
    const next = (await this.#folder.numbers(cursor.stream)).find((number) => number > cursor.number);
    if (next === undefined) return false;
    if (cursor.file && (await cursor.file.stat()).size > cursor.offset) return true;
    if (!this.#isOver && (next > cursor.number + 1 || (!cursor.file && cursor.isAwaited)))
      this.#sink.lost(cursor.stream);
    await release(cursor);
    cursor.number = next;
    cursor.offset = 0;
    cursor.isAwaited = true;
    return true;
  }
}

async function release(cursor: Cursor): Promise<void> {
  const { file } = cursor;
  cursor.file = undefined;
  cursor.times = undefined;
  await file?.close();
}

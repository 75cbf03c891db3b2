import type { Cancel, MusterError } from "@muster/foundation";

export type OutputStream = "stdout" | "stderr";

export interface LogQuestion {
  readonly id: string;
  readonly streams: readonly OutputStream[];
  readonly follow: boolean;
  /** Only the last so many lines of each stream; undefined: all that is kept. */
  readonly tailLines: number | undefined;
  /** Only what came then or later, in milliseconds since the epoch; 0: all that is kept. */
  readonly since: number;
  /** Whether pieces are to be cut where the known time changes, and to bear it. */
  readonly timestamps: boolean;
  /** Whether the task has ended, so that following can end once everything was read. */
  ended(): boolean;
}

/** Takes output in. `ready` false asks the reader to wait for `drained`. */
export interface LogSink {
  ready(): boolean;
  /** `at`: the earliest moment at which the bytes may have come, in milliseconds since the epoch; 0 if not known. */
  data(stream: OutputStream, bytes: Buffer, at: number): void;
  /** Output that came before the next was deleted before it could be read. */
  lost(stream: OutputStream): void;
  /** Everything that there was has been read. More may follow. */
  caughtUp(): void;
  end(error?: MusterError): void;
}

export interface LogReading {
  drained(): void;
  cancel: Cancel;
}

/** Reads what tasks have written, also after their end. */
export interface LogReader {
  read(question: LogQuestion, sink: LogSink): LogReading;
}

/** Size of a terminal, in characters. */
export interface TerminalDimensions {
  readonly columns: number;
  readonly rows: number;
}

export interface ExecQuestion {
  /** Beside which task. */
  readonly id: string;
  /** Its main process, whose surroundings the command enters, under its account and with no more rights. */
  readonly pid: number;
  /** Start of that process in clock ticks since the boot: a pid alone says nothing. */
  readonly startTicks: number;
  readonly command: readonly string[];
  readonly environment: Readonly<Record<string, string>>;
  /** Undefined: input and output are pipes. */
  readonly terminal: TerminalDimensions | undefined;
}

export interface ExecEvents {
  stdout(bytes: Buffer): void;
  stderr(bytes: Buffer): void;
  /** Final. Signal is empty if none ended it. */
  ended(exitCode: number, signal: string): void;
  /** Final: it could not be started. */
  failed(error: MusterError): void;
}

export interface ExecSession {
  /** False: hold back further input until `drained` is called. */
  write(bytes: Uint8Array): boolean;
  endInput(): void;
  signal(name: string): void;
  /** The terminal, if there is one, has another size. */
  resize(dimensions: TerminalDimensions): void;
  /** Output is held back while the peer is behind. */
  pause(): void;
  resume(): void;
  /** Ends it with everything that it started. */
  kill(): void;
}

/** Runs commands beside tasks. */
export interface ExecRunner {
  run(question: ExecQuestion, events: ExecEvents): ExecSession;
}

/** What stands in a folder of a task. */
export interface TaskFile {
  readonly name: string;
  readonly kind: "file" | "folder" | "link" | "other";
  readonly sizeBytes: number;
  /** Milliseconds since the epoch. */
  readonly changedAt: number;
  /** Permission bits. */
  readonly mode: number;
  /** Of a link; else empty. */
  readonly target: string;
}

/** Takes a file in, piece by piece. `ready` false asks the reader to wait for `drained`. */
export interface FileSink {
  ready(): boolean;
  data(bytes: Buffer, sizeBytes: number, identity: string): void;
  end(error?: MusterError): void;
}

/**
 * The folders that tasks work in. Nothing outside of them is ever shown, whatever links a task makes while it is looked
 * at, nor are its secrets. Answers come by callback, after the call has returned.
 */
export interface TaskFiles {
  /** A folder's files whose names come after `after`, in order, at most `countMax`; or the one file that `path` names. */
  list(
    question: { readonly id: string; readonly path: string; readonly after: string; readonly countMax: number },
    done: (files: readonly TaskFile[], more: boolean, error: MusterError | undefined) => void,
  ): void;
  /** A file's bytes from `offset` on, at most `length` and no more than it had when it was opened. */
  read(
    question: { readonly id: string; readonly path: string; readonly offset: number; readonly length: number },
    sink: FileSink,
  ): LogReading;
}

export interface TaskUse {
  /** Thousandths of a core. */
  readonly cpuMillis: number;
  readonly memoryBytes: number;
  readonly processCount: number;
  readonly windowMs: number;
  readonly memorySource: "cgroup" | "pss" | "rss";
}

/** Measures what a task uses, when it is asked and at no other time. */
export interface TaskMeter {
  /** The answer comes after the return; undefined if the task has ended meanwhile. */
  measure(
    question: { readonly id: string; readonly pid: number; readonly shimPid: number },
    done: (use: TaskUse | undefined) => void,
  ): void;
}

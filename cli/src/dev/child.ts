import { type ChildProcess, spawn } from "node:child_process";
import { closeSync, openSync } from "node:fs";
import type { Duplex } from "node:stream";
import { spawnFailed } from "./spawn-failed.ts";

/** Wait before a component is started again: it doubles up to the most, and falls back once the component ran long enough. */
export const restartDelayMs = { first: 200, most: 5_000, resetAfter: 10_000 } as const;

/** One component of the cluster as its own process. */
export interface ChildSpec {
  /** For people, for instance "agent-1". */
  readonly name: string;
  /** Arguments of `muster`. */
  readonly args: readonly string[];
  readonly nodeFlags: readonly string[];
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly logFile: string;
  /** SIGKILL follows SIGTERM after so long. */
  readonly stopTimeoutMs: number;
}

export interface ChildEvents {
  /** It works, for the first time or again. */
  ready(child: Child): void;
  /** It ended without being told to. */
  died(child: Child, how: string, restartInMs: number): void;
  /** It said that it can't work, and why. */
  failed(child: Child, message: string): void;
}

/** What a component tells its supervisor over the pipe that they share. */
export type Report = { readonly type: "ready" } | { readonly type: "failed"; readonly message: string };

/** Delay before the next start, given the one before and how long the component ran. */
export function nextDelayMs(beforeMs: number, ranMs: number): number {
  if (ranMs >= restartDelayMs.resetAfter || beforeMs === 0) return restartDelayMs.first;
  return Math.min(restartDelayMs.most, beforeMs * 2);
}

/** Keeps one component running until it is stopped. */
export class Child {
  readonly spec: ChildSpec;
  readonly #events: ChildEvents;
  readonly #program: string;
  #process: ChildProcess | undefined;
  #isReady = false;
  #isStopping = false;
  #startedMs = 0;
  #delayMs = 0;
  #timer: NodeJS.Timeout | undefined;
  #gone: (() => void)[] = [];

  /** `program` is the path of bin/muster.js. */
  constructor(spec: ChildSpec, program: string, events: ChildEvents) {
    this.spec = spec;
    this.#program = program;
    this.#events = events;
  }

  /** 0 while there is no process. */
  get pid(): number {
    return this.#process?.pid ?? 0;
  }

  get isReady(): boolean {
    return this.#isReady;
  }

  start(): void {
    const { spec } = this;
    this.#timer = undefined;
    this.#startedMs = Date.now();
    let log: number | undefined;
    try {
      log = openSync(spec.logFile, "a", 0o600);
      const child = spawn(process.execPath, [...spec.nodeFlags, this.#program, ...spec.args, "--supervised"], {
        // A group of its own: Ctrl-C at the terminal is for the supervisor, who ends the components in order.
        detached: true,
        env: spec.environment,
        // The last is the pipe: its end tells the component that the supervisor is gone, however that died.
        stdio: ["ignore", log, log, "pipe"],
      });
      this.#process = child;
      this.#listen(child);
    } catch (error) {
      this.#tryAgain((error as Error).message);
    } finally {
      if (log !== undefined) closeSync(log);
    }
  }

  /** SIGTERM, then SIGKILL; resolves when the process is gone. */
  stop(): Promise<void> {
    this.#isStopping = true;
    clearTimeout(this.#timer);
    const child = this.#process;
    if (!child) return Promise.resolve();
    child.kill("SIGTERM");
    const killer = setTimeout(() => child.kill("SIGKILL"), this.spec.stopTimeoutMs);
    return new Promise((resolve) => {
      this.#gone.push(() => {
        clearTimeout(killer);
        resolve();
      });
    });
  }

  #listen(child: ChildProcess): void {
    const pipe = child.stdio[3] as Duplex | null;
    let text = "";
    pipe?.on("data", (bytes: Buffer) => {
      text += bytes.toString("utf8");
      const lines = text.split("\n");
      text = lines.pop() ?? "";
      for (const line of lines) this.#report(JSON.parse(line) as Report);
    });
    // The other end is closed when the process dies; that is told by "exit".
    pipe?.on("error", () => {});
    child.on("error", (error) => this.#ended(child, spawnFailed(error)));
    child.on("exit", (code, signal) => this.#ended(child, signal ?? `exit code ${code}`));
  }

  #report(report: Report): void {
    if (report.type === "failed") this.#events.failed(this, report.message);
    else {
      this.#isReady = true;
      this.#events.ready(this);
    }
  }

  #ended(child: ChildProcess, how: string): void {
    if (this.#process !== child) return;
    this.#process = undefined;
    this.#isReady = false;
    for (const gone of this.#gone.splice(0)) gone();
    if (!this.#isStopping) this.#tryAgain(how);
  }

  #tryAgain(how: string): void {
    this.#delayMs = nextDelayMs(this.#delayMs, Date.now() - this.#startedMs);
    this.#timer = setTimeout(() => this.start(), this.#delayMs);
    this.#events.died(this, how, this.#delayMs);
  }
}

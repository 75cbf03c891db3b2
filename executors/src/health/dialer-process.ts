import { type ChildProcess, spawn } from "node:child_process";
import { rmSync } from "node:fs";
import { fileURLToPath } from "node:url";
import type { Cancel, Log } from "@muster/foundation";
import { dialerSocketPath } from "./socket-path.ts";

/** After a start that failed, everybody is told its reason for so long before another is tried. */
export const dialerRestartMs = 1_000;
/** Bytes of what the dialer complains of that are told. */
const complaintBytesMax = 512;

const programPath = fileURLToPath(new URL("../../shim/dialer.pl", import.meta.url));

export interface DialerOptions {
  /** Absolute path of the agent's own folder. */
  readonly dataFolder: string;
  readonly log: Log;
  /** Program that runs the dialer. Default: "perl", found by the agent's PATH. */
  readonly perl?: string;
}

/** Gets the path of the dialer's socket. */
type Ready = (result: string | Error) => void;

interface Helper {
  readonly child: ChildProcess;
  readonly path: string;
  isReady: boolean;
  complaint: string;
}

/** The dialer's process: started on first need, again on the next one if it has died. It ends with this process. */
export class DialerProcess {
  readonly #options: DialerOptions;
  readonly #waiting = new Set<Ready>();
  #helper: Helper | undefined;
  #failure: { readonly error: Error; readonly untilMs: number } | undefined;
  #isStopped = false;

  constructor(options: DialerOptions) {
    this.#options = options;
  }

  /** Undefined while there is none. */
  get pid(): number | undefined {
    return this.#helper?.child.pid;
  }

  /** Calls back after the return, once the dialer listens or why it does not. After cancelling it does not. */
  whenReady(ready: Ready): Cancel {
    let isOver = false;
    const once: Ready = (result) => {
      if (!isOver) ready(result);
      isOver = true;
    };
    const known = this.#known();
    if (known !== undefined) setImmediate(() => once(known));
    else {
      this.#waiting.add(once);
      if (!this.#helper) this.#start();
    }
    return () => {
      isOver = true;
      this.#waiting.delete(once);
    };
  }

  /** Nobody listens there any more: the next need starts another. */
  refused(path: string): void {
    if (this.#helper?.path === path && this.#helper.isReady) this.#drop(this.#helper);
  }

  stop(): void {
    this.#isStopped = true;
    if (this.#helper) this.#drop(this.#helper);
  }

  #known(): string | Error | undefined {
    if (this.#isStopped) return new Error("the agent is stopping");
    if (this.#helper?.isReady) return this.#helper.path;
    return this.#failure && performance.now() < this.#failure.untilMs ? this.#failure.error : undefined;
  }

  #start(): void {
    const { dataFolder, perl = "perl" } = this.#options;
    let path: string;
    try {
      path = dialerSocketPath(dataFolder);
    } catch (error) {
      this.#fail(error as Error);
      return;
    }
    const child = spawn(perl, [programPath, path, process.arch], {
      cwd: "/",
      // The write end of its input closes with this process, however that ends.
      stdio: ["pipe", "pipe", "pipe"],
      env: { MUSTER_DATA_FOLDER: dataFolder, PATH: process.env["PATH"] ?? "/usr/bin:/bin" },
    });
    const helper: Helper = { child, path, isReady: false, complaint: "" };
    this.#helper = helper;
    child.unref();
    for (const stream of [child.stdin, child.stdout, child.stderr]) {
      stream.on("error", () => {});
      // A pipe is a socket, whose types do not say so.
      (stream as unknown as { unref(): void }).unref();
    }
    child.stdout.once("data", () => {
      helper.isReady = true;
      this.#settle(path);
    });
    child.stderr.on("data", (bytes: Buffer) => {
      helper.complaint = (helper.complaint + bytes.toString()).slice(-complaintBytesMax);
    });
    child.once("error", (error) => this.#ended(helper, error.message));
    const ended = (): void =>
      this.#ended(helper, helper.complaint.trim() || `it ended (${child.signalCode ?? child.exitCode})`);
    // Commands under way hold its pipes open; before the first of them its last words are worth waiting for.
    child.once("exit", () => helper.isReady && ended());
    child.once("close", ended);
  }

  #ended(helper: Helper, reason: string): void {
    if (this.#helper !== helper) return;
    this.#helper = undefined;
    if (helper.isReady) this.#options.log.warn({ reason }, "the dialer ended; the next check starts it again");
    else this.#fail(new Error(`checks in namespaces and by scripts need perl: ${reason}`));
  }

  #fail(error: Error): void {
    this.#failure = { error, untilMs: performance.now() + dialerRestartMs };
    this.#options.log.warn({ reason: error.message }, "the dialer can't be started");
    setImmediate(() => this.#settle(error));
  }

  #settle(result: string | Error): void {
    const waiting = [...this.#waiting];
    this.#waiting.clear();
    for (const ready of waiting) ready(result);
  }

  #drop(helper: Helper): void {
    this.#helper = undefined;
    helper.child.stdin?.end();
    helper.child.kill("SIGTERM");
    rmSync(helper.path, { force: true });
    this.#settle(new Error("the agent is stopping"));
  }
}

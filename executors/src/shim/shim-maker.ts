import { type ChildProcess, spawn } from "node:child_process";
import type { Socket } from "node:net";
import { shimPath } from "./shim-path.ts";

/** A maker that has ended with shims still to be made is replaced; who has been lost so often can't be made here. */
const triesMax = 3;

/** What became of a shim, or of the making of it. */
export type ShimEnd =
  /** It ended; `status` as `waitpid` gives it. */
  | { readonly type: "ended"; readonly status: number }
  | { readonly type: "failed"; readonly message: string }
  /** It may live: whoever would hear of its end is gone. */
  | { readonly type: "unwatched" };

interface Made {
  readonly folder: string;
  readonly ended: (end: ShimEnd) => void;
  tries: number;
}

/**
 * Makes shims: one process of perl, started at the first need, that has the shim's program in memory and forks for each.
 * So the agent's own process, whose copy takes milliseconds in which it does nothing else, is not forked for every task.
 * It ends with the agent, and leaves its shims alone.
 */
export class ShimMaker {
  readonly #perl: string;
  readonly #dataFolder: string;
  readonly #made = new Map<string, Made>();
  #process: ChildProcess | undefined;

  constructor(perl: string, dataFolder: string) {
    this.#perl = perl;
    this.#dataFolder = dataFolder;
  }

  /** Starts the shim of a folder that holds its specification. `ended` is called once, never during the call. */
  make(folder: string, ended: (end: ShimEnd) => void): void {
    const made = { folder, ended, tries: 0 };
    this.#made.set(folder, made);
    this.#ask(made);
  }

  /** Nobody is told of anything any more. */
  close(): void {
    this.#made.clear();
    this.#process?.stdin?.end();
    this.#process = undefined;
  }

  #ask(made: Made): void {
    made.tries++;
    this.#process ??= this.#start();
    this.#process.stdin?.write(`${made.folder}\0`);
  }

  #start(): ChildProcess {
    const child = spawn(this.#perl, [shimPath, "-", process.arch, this.#dataFolder], {
      detached: true,
      stdio: ["pipe", "pipe", "ignore"],
      cwd: this.#dataFolder,
      env: { MUSTER_DATA_FOLDER: this.#dataFolder, PATH: process.env["PATH"] ?? "/usr/bin:/bin" },
    });
    child.unref();
    (child.stdout as Socket).unref();
    child.stdin.on("error", () => {});
    let text = "";
    child.stdout.setEncoding("utf8").on("data", (data: string) => {
      const parts = (text + data).split("\0");
      text = parts.pop() ?? "";
      for (const part of parts) this.#hear(part);
    });
    let fault: string | undefined;
    child.on("error", (error) => {
      fault = error.message;
      this.#lose(child, fault);
    });
    child.on("close", () => this.#lose(child, fault));
    return child;
  }

  #hear(part: string): void {
    const [folder = "", status = "", fault = ""] = part.split("\t");
    const made = this.#made.get(folder);
    if (!made) return;
    this.#made.delete(folder);
    made.ended(fault === "" ? { type: "ended", status: Number(status) } : { type: "failed", message: fault });
  }

  /** Of some of its shims nobody knows whether they were begun: asking again is harmless, since each begins once. */
  #lose(child: ChildProcess, fault: string | undefined): void {
    if (this.#process !== child) return;
    this.#process = undefined;
    for (const made of [...this.#made.values()]) {
      if (fault === undefined && made.tries < triesMax) this.#ask(made);
      else {
        this.#made.delete(made.folder);
        made.ended(fault === undefined ? { type: "unwatched" } : { type: "failed", message: fault });
      }
    }
  }
}

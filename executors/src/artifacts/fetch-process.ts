import { type ChildProcess, spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import type { FetchedItem, FetchNews, FetchOrder } from "./fetcher/fetch-order.ts";

/** Compiled, also where the agent itself is run from its sources. */
const programPath = fileURLToPath(new URL("./fetcher/main.js", import.meta.url)).replace(
  "/executors/src/artifacts/",
  "/executors/dist/artifacts/",
);
/** Of what it says of errors the last characters are kept. */
const errorLengthMax = 2_000;

/**
 * Folders that every Debian has and hardly anybody uses: over one of them the process has its own. Git wants to know the
 * path of its folder from the root on, on which an account without rights may not be able to go.
 */
const standInPlaces = ["/mnt", "/media", "/srv", "/opt"];
const standInScript = 'if mount --bind . "$0" 2>/dev/null; then cd "$0"; fi; exec "$@"';

function commandFor({ items, account, folders }: FetchOrder): string[] {
  const words = [process.execPath, "--max-old-space-size=192", programPath];
  if (account === undefined || !items.some(({ wish }) => wish.from.kind === "git")) return words;
  const needed = [...folders, process.execPath, programPath];
  const place = standInPlaces.find((one) => !needed.some((path) => path === one || path.startsWith(`${one}/`)));
  return place === undefined
    ? words
    : ["unshare", "--mount", "--propagation", "private", "sh", "-c", standInScript, place, ...words];
}

/** A process that fetches what an order says, in a working folder of its own; it and all that it starts can be ended. */
export class FetchProcess {
  readonly #child: ChildProcess;
  readonly done: Promise<readonly FetchedItem[]>;

  constructor(order: FetchOrder, folder: string, progress: (message: string) => void) {
    if (!existsSync(programPath)) throw new Error(`${programPath} is missing: build Muster first`);
    const [program = "", ...words] = commandFor(order);
    const env = { PATH: process.env["PATH"] ?? "", LANG: "C.UTF-8" };
    // In a group of its own, so that git and what unpacks end with it.
    const child = spawn(program, words, { cwd: folder, env, detached: true, stdio: "pipe" });
    this.#child = child;
    this.done = new Promise((resolve, reject) => {
      let errors = "";
      let last: FetchNews | undefined;
      child.stderr.on("data", (data) => {
        errors = (errors + data).slice(-errorLengthMax);
      });
      child.stdin.on("error", () => {});
      createInterface({ input: child.stdout }).on("line", (line) => {
        const news = JSON.parse(line) as FetchNews;
        if (news.type === "progress") progress(news.message);
        else {
          last = news;
          // Its input is its life: what it has still to do is nothing.
          child.stdin.destroy();
        }
      });
      child.on("error", (error) => reject(new Error(`what fetches artifacts could not be started: ${error.message}`)));
      child.on("close", (code, signal) => {
        if (last?.type === "done") resolve(last.items);
        else if (last?.type === "failed") reject(new Error(last.message));
        else reject(new Error(`what fetches artifacts ended (${signal ?? code}): ${errors.trim().split("\n").at(-1)}`));
      });
      child.stdin.write(`${JSON.stringify(order)}\n`);
    });
  }

  /** It and all that it has started. */
  kill(): void {
    const { pid, exitCode, signalCode } = this.#child;
    if (pid === undefined || exitCode !== null || signalCode !== null) return;
    try {
      process.kill(-pid, "SIGKILL");
    } catch {
      // It has ended by itself.
    }
  }
}

import { spawn } from "node:child_process";
import { Duplex } from "node:stream";
import { createGunzip } from "node:zlib";
import type { Packing } from "@muster/foundation";
import { FetchFailure } from "../fetcher/fetch-failure.ts";

/** Programs for what Node can't unpack by itself, and the packages of Debian that have them. */
const programs = {
  xz: { program: "xz", words: ["-dc", "--memlimit-decompress=256MiB"], debian: "xz-utils" },
  zstd: { program: "zstd", words: ["-dcq", "--memory=256MB"], debian: "zstd" },
  bzip2: { program: "bzip2", words: ["-dc"], debian: "bzip2" },
} as const;

/** Undoes a compression; undefined: there is none. */
export function decompressor(compression: Packing["compression"]): Duplex | undefined {
  if (compression === "none") return undefined;
  if (compression === "gzip") return createGunzip();
  const { program, words, debian } = programs[compression];
  const child = spawn(program, words, { stdio: ["pipe", "pipe", "pipe"] });
  const stream = Duplex.from({ writable: child.stdin, readable: readable(child, program) });
  child.on("error", () =>
    stream.destroy(new FetchFailure(`it is packed with ${program}, which this agent lacks: apt-get install ${debian}`)),
  );
  // Its own words say what is wrong; that it takes no more follows.
  child.stdin.on("error", () => {});
  return stream;
}

/** What the program gives; it has failed if it says so at its end. */
async function* readable(child: ReturnType<typeof spawn>, program: string): AsyncGenerator<Buffer> {
  let errors = "";
  child.stderr?.on("data", (data) => {
    errors = (errors + data).slice(-1_024);
  });
  const ended = new Promise<number>((resolve) => child.once("close", (code) => resolve(code ?? -1)));
  if (child.stdout) yield* child.stdout as AsyncIterable<Buffer>;
  const code = await ended;
  if (code !== 0)
    throw new FetchFailure(`${program} can't unpack it: ${errors.trim().split("\n").at(-1) || `exit code ${code}`}`);
}

import { spawn } from "node:child_process";
import { createHash, type Hash } from "node:crypto";
import { createReadStream, promises as fs } from "node:fs";
import { arch } from "node:os";
import { Duplex, Transform, type TransformCallback, type Writable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { fileURLToPath } from "node:url";
import { createGunzip } from "node:zlib";
import { PullFailure } from "./pull-failure.ts";

const unpackPath = fileURLToPath(new URL("../../shim/unpack.pl", import.meta.url));

/** Files, folders and links of one layer. */
export const layerEntriesMax = 2_000_000;
/** Bytes of one layer when unpacked. */
export const layerBytesMax = 64 * 1024 * 1024 * 1024;

export interface LayerQuestion {
  /** Path of the blob, packed or not. */
  readonly blob: string;
  readonly blobDigest: string;
  /** Digest of the tar in it. */
  readonly diffId: string;
  /** An empty folder. */
  readonly folder: string;
  readonly signal: AbortSignal;
}

export interface LayerFacts {
  /** About what it takes of the disk. */
  readonly bytes: number;
  /** Of "/" and "/etc" those in which nothing of the layers below is seen. */
  readonly opaque: readonly string[];
}

/** Unpacks a layer, and throws unless both digests are as they should be. */
export async function unpackLayer(question: LayerQuestion): Promise<LayerFacts> {
  const { blob, blobDigest, diffId, folder, signal } = question;
  const packed = hashing();
  const unpacked = hashing();
  const child = spawn("perl", [unpackPath, folder, arch(), String(layerEntriesMax), String(layerBytesMax)], {
    stdio: ["pipe", "pipe", "pipe"],
    detached: true,
    signal,
    killSignal: "SIGKILL",
  });
  let output = "";
  let errors = "";
  child.stdout.on("data", (data) => {
    output += data;
  });
  child.stderr.on("data", (data) => {
    errors = (errors + data).slice(-4_096);
  });
  const ended = new Promise<number>((resolve) => {
    child.on("error", () => resolve(-1));
    child.on("close", (code) => resolve(code ?? -1));
  });
  const flow = pipeline(
    [createReadStream(blob), packed.stream, ...(await unpacking(blob, signal)), unpacked.stream, child.stdin] as [
      NodeJS.ReadableStream,
      ...NodeJS.ReadWriteStream[],
      Writable,
    ],
    { signal },
  ).then(
    () => undefined,
    (error: Error) => error,
  );
  const [fault, code] = await Promise.all([flow, ended]);
  signal.throwIfAborted();
  const isWhole = code === 0 && fault === undefined;
  // What is damaged on the disk looks like anything; fetched again it is right.
  const found = isWhole ? packed.digest() : await digestOfFile(blob);
  if (found !== blobDigest) throw new PullFailure(`layer ${blobDigest} has the digest ${found} instead`, true);
  // What the unpacking program says is the cause; that its input broke off then follows from it.
  if (code !== 0) throw layerFailure(errors, diffId, fault);
  if (fault) throw new PullFailure(`layer ${blobDigest} can't be unpacked: ${fault.message}`);
  if (unpacked.digest() !== diffId)
    throw new PullFailure(`layer ${blobDigest} unpacks to ${unpacked.digest()}, not to ${diffId} as the image says`);
  return {
    bytes: Number(/^bytes (\d+)$/m.exec(output)?.[1] ?? 0),
    opaque: [...output.matchAll(/^opaque (\S+)$/gm)].map(([, name = ""]) => name),
  };
}

function layerFailure(errors: string, diffId: string, fault: Error | undefined): PullFailure {
  const said = errors.trim().split("\n").at(-1) ?? "";
  const refused = /^refused: (.*)$/.exec(said)?.[1];
  if (refused !== undefined && /tar ends too early|damaged|is none/.test(refused) && fault)
    return new PullFailure(`layer ${diffId} can't be unpacked: ${fault.message}`);
  if (refused !== undefined) return new PullFailure(`layer ${diffId} is refused: ${refused}`);
  if (/No space left on device/.test(said)) return new PullFailure(`the agent's disk is full: ${said}`);
  return new PullFailure(`layer ${diffId} can't be unpacked: ${said || fault?.message || "perl ended"}`);
}

/** What unpacks the blob, by its first bytes: what is said of it elsewhere may be wrong. */
async function unpacking(blob: string, signal: AbortSignal): Promise<NodeJS.ReadWriteStream[]> {
  const file = await fs.open(blob);
  const first = Buffer.alloc(4);
  await file.read(first, 0, 4, 0).finally(() => file.close());
  if (first[0] === 0x1f && first[1] === 0x8b) return [createGunzip()];
  if (first.readUInt32LE(0) !== 0xfd2fb528) return [];
  return [zstd(signal)];
}

/** Node has no zstd of its own yet: the program of that name is asked. */
function zstd(signal: AbortSignal): Duplex {
  const child = spawn("zstd", ["-dcq"], { stdio: ["pipe", "pipe", "ignore"], signal, killSignal: "SIGKILL" });
  const stream = Duplex.from({ writable: child.stdin, readable: child.stdout });
  child.on("error", ({ message }) =>
    stream.destroy(new Error(`it is packed with zstd, which could not be run (${message}): apt-get install zstd`)),
  );
  child.on("exit", (code) => {
    if (code !== 0) stream.destroy(new Error("its zstd data is damaged"));
  });
  return stream;
}

async function digestOfFile(path: string): Promise<string> {
  const hash = createHash("sha256");
  for await (const chunk of createReadStream(path)) hash.update(chunk as Buffer);
  return `sha256:${hash.digest("hex")}`;
}

function hashing(): { readonly stream: Transform; digest(): string } {
  const hash: Hash = createHash("sha256");
  let digest: string | undefined;
  const stream = new Transform({
    transform(chunk: Buffer, _encoding, done: TransformCallback) {
      hash.update(chunk);
      done(null, chunk);
    },
  });
  return {
    stream,
    digest: () => {
      digest ??= `sha256:${hash.digest("hex")}`;
      return digest;
    },
  };
}

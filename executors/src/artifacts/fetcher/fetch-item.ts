import { createReadStream, promises as fs, type Stats } from "node:fs";
import { basename, join } from "node:path";
import type { Duplex, Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { checksumIn, type FetchedFile, type FilePlace } from "@muster/foundation";
import { decompressor } from "../unpack/decompress.ts";
import { OutFolder } from "../unpack/out-folder.ts";
import { unpackTar } from "../unpack/tar.ts";
import { checkTree } from "../unpack/tree.ts";
import { unpackZip } from "../unpack/zip.ts";
import type { AddressRules } from "./addresses.ts";
import { type KnownSum, Meter } from "./checksums.ts";
import { FetchFailure } from "./fetch-failure.ts";
import type { FetchedItem, FetchItem, FetchOrder } from "./fetch-order.ts";
import { openHostPath } from "./file-source.ts";
import { checkOut } from "./git-source.ts";
import { openHttp } from "./http-source.ts";

/** Bytes of a file of checksums. */
export const sumsBytesMax = 1024 * 1024;

interface Surroundings {
  readonly order: FetchOrder;
  readonly rules: AddressRules;
}

/** Fetches one thing into an empty folder, unpacks it, and makes sure of what came of it. Throws a FetchFailure. */
export async function fetchItem(item: FetchItem, folder: string, around: Surroundings): Promise<FetchedItem> {
  const { from, subfolder, mode } = item.wish;
  const whole = join(folder, "whole");
  const { name, bytes } =
    from.kind === "git"
      ? { name: undefined, bytes: await repository(item, whole, folder, around) }
      : await file(item, from, whole, folder, around);
  const part = await partOf(whole, name, subfolder);
  const chosen = mode === "file" && part.name === undefined ? await onlyFile(part.path) : part;
  if (mode === "dir" && chosen.name !== undefined)
    throw new FetchFailure("it is a file, not a folder; use mode any or file, or say how it is packed with archive");
  await checkTree(chosen.path, around.order.limits);
  await fs.rename(chosen.path, join(folder, "result"));
  return { fileName: chosen.name, downloadedBytes: bytes };
}

async function repository(item: FetchItem, whole: string, home: string, { order, rules }: Surroundings) {
  const { from } = item.wish;
  if (from.kind !== "git") return 0;
  await fs.mkdir(whole);
  const { folders, limits } = order;
  await checkOut(whole, home, { repository: from, insecure: item.insecure, rules, folders, limits });
  return 0;
}

/** Gives the name of the file that lies at `whole`; undefined: a folder does. */
async function file(item: FetchItem, from: FetchedFile, whole: string, folder: string, around: Surroundings) {
  const { limits } = around.order;
  const download = join(folder, "download");
  const sum = await knownSum(from, item, around);
  const got = item.isHere ? await verify(download, sum) : await fetchFile(item, from, download, sum, whole, around);
  if (got.isFolder) return { name: undefined, bytes: got.bytes };
  const { packing } = from;
  if (!packing) {
    // A copy of it may be wanted by others.
    await fs.copyFile(download, whole, fs.constants.COPYFILE_FICLONE);
    await fs.chmod(whole, got.mode);
    return { name: from.fileName, bytes: got.bytes };
  }
  await fs.mkdir(whole);
  const out = new OutFolder(whole, limits);
  if (packing.holds === "zip") await unpackZip(download, out);
  else await unpackStream(download, packing.compression, packing.holds, from.fileName, out);
  if (packing.holds !== "file") return { name: undefined, bytes: got.bytes };
  await fs.rename(join(whole, from.fileName), join(folder, "alone"));
  await fs.rmdir(whole);
  await fs.rename(join(folder, "alone"), whole);
  return { name: from.fileName, bytes: got.bytes };
}

async function unpackStream(
  path: string,
  compression: Parameters<typeof decompressor>[0],
  holds: "tar" | "file",
  fileName: string,
  out: OutFolder,
): Promise<void> {
  const packed = createReadStream(path);
  const undo = decompressor(compression);
  const unpacked = undo ? piped(packed, undo) : packed;
  try {
    if (holds === "tar") await unpackTar(unpacked, out);
    else await out.file(fileName, 0o644, unpacked);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    throw code?.startsWith("Z_") ? new FetchFailure("it is damaged, or not packed as its name says") : error;
  } finally {
    packed.destroy();
    unpacked.destroy();
  }
}

function piped(from: Readable, into: Duplex): Readable {
  from.on("error", (error) => into.destroy(error));
  return from.pipe(into);
}

interface Got {
  readonly bytes: number;
  readonly mode: number;
  /** A folder of the host was copied to where the whole is to lie. */
  readonly isFolder: boolean;
}

async function verify(path: string, sum: KnownSum | undefined): Promise<Got> {
  const meter = new Meter(sum, Number.POSITIVE_INFINITY, "");
  await pipeline(createReadStream(path), meter, async (source) => {
    for await (const _ of source);
  });
  meter.verify(sum);
  return { bytes: 0, mode: 0o644, isFolder: false };
}

async function fetchFile(
  item: FetchItem,
  { place, checksum }: FetchedFile,
  download: string,
  sum: KnownSum | undefined,
  whole: string,
  { order, rules }: Surroundings,
): Promise<Got> {
  const { downloadBytesMax } = order.limits;
  const meter = new Meter(sum, downloadBytesMax, "download_bytes_max");
  const keep = async (source: Readable, mode: number): Promise<Got> => {
    const handle = await fs.open(download, "wx", 0o600);
    await pipeline(source, meter, handle.createWriteStream());
    meter.verify(sum);
    return { bytes: meter.bytes, mode, isFolder: false };
  };
  if (place.by === "http") {
    const answer = await openHttp({ url: place.url, headers: item.headers, insecure: item.insecure, rules });
    const length = Number(answer.headers["content-length"] ?? 0);
    if (length > downloadBytesMax) {
      answer.destroy();
      throw new FetchFailure(`it has ${length} bytes, more than ${downloadBytesMax} (download_bytes_max)`);
    }
    const got = await keep(answer, 0o644);
    // Node says nothing of an answer that ends too early.
    if (!answer.complete) throw new FetchFailure("the answer broke off");
    return got;
  }
  const handle = await openHostPath(place.path, order.folders);
  try {
    const stats = await handle.stat();
    if (stats.isFile()) return await keep(handle.createReadStream({ autoClose: false, start: 0 }), rightsOf(stats));
    if (!stats.isDirectory()) throw new FetchFailure("it is a device or a pipe");
    if (checksum) throw new FetchFailure("options.checksum: a folder has none");
    await fs.mkdir(whole);
    const out = new OutFolder(whole, order.limits);
    await copyFolder(`/proc/self/fd/${handle.fd}`, "", out);
    return { bytes: 0, mode: 0, isFolder: true };
  } finally {
    await handle.close();
  }
}

function rightsOf({ mode }: Stats): number {
  if ((mode & 0o6000) !== 0) throw new FetchFailure("it would run with the rights of another (setuid or setgid)");
  return (mode & 0o777) | 0o600;
}

/** Copies what lies in a folder of the host; links are copied as links. */
async function copyFolder(from: string, inside: string, out: OutFolder): Promise<void> {
  for (const name of await fs.readdir(from)) {
    const path = join(from, name);
    const place = inside === "" ? name : `${inside}/${name}`;
    const stats = await fs.lstat(path);
    if (stats.isSymbolicLink()) await out.link(place, await fs.readlink(path));
    else if (stats.isDirectory()) {
      await out.folder(place);
      await copyFolder(path, place, out);
    } else if (stats.isFile()) await out.file(place, stats.mode & 0o7777, createReadStream(path));
    else throw new FetchFailure(`"${place}" is a device or a pipe`);
  }
}

async function knownSum(from: FetchedFile, item: FetchItem, around: Surroundings): Promise<KnownSum | undefined> {
  const { checksum, sourceName } = from;
  if (checksum?.kind !== "file") return checksum as KnownSum | undefined;
  const text = await readText(checksum.place, item, around);
  const found = checksumIn(text, sourceName);
  if (!found) throw new FetchFailure(`options.checksum: the file of sums has none of "${sourceName}"`);
  return found;
}

async function readText(place: FilePlace, { insecure }: FetchItem, { order, rules }: Surroundings): Promise<string> {
  const meter = new Meter(undefined, sumsBytesMax, "sums_bytes_max");
  const pieces: Buffer[] = [];
  const gather = async (source: AsyncIterable<Buffer>): Promise<void> => {
    for await (const piece of source) pieces.push(piece);
  };
  if (place.by === "http")
    await pipeline(await openHttp({ url: place.url, headers: {}, insecure, rules }), meter, gather);
  else {
    const handle = await openHostPath(place.path, order.folders);
    await pipeline(handle.createReadStream(), meter, gather);
  }
  return Buffer.concat(pieces).toString("utf8");
}

interface Part {
  readonly path: string;
  /** Undefined: it is a folder. */
  readonly name: string | undefined;
}

async function partOf(whole: string, name: string | undefined, subfolder: string): Promise<Part> {
  if (subfolder === "") return { path: whole, name };
  if (name !== undefined)
    throw new FetchFailure(
      `//${subfolder}: it is one file, in which there are no folders; say how it is packed with archive`,
    );
  let path = whole;
  let stats: Stats | undefined;
  for (const step of subfolder.split("/")) {
    path = join(path, step);
    stats = await fs.lstat(path).catch(() => undefined);
    if (!stats) throw new FetchFailure(`//${subfolder}: there is no such folder in it`);
    if (stats.isSymbolicLink()) throw new FetchFailure(`//${subfolder}: links are not followed`);
  }
  return { path, name: stats?.isFile() ? basename(path) : undefined };
}

async function onlyFile(folder: string): Promise<Part> {
  const [name = "", ...others] = await fs.readdir(folder);
  const path = join(folder, name);
  const isFile = name !== "" && others.length === 0 && (await fs.lstat(path)).isFile();
  if (!isFile) throw new FetchFailure("mode file: it holds not just one file; use mode any or dir");
  return { path, name };
}

import { createReadStream, promises as fs } from "node:fs";
import { createInflateRaw } from "node:zlib";
import { FetchFailure } from "../fetcher/fetch-failure.ts";
import type { OutFolder } from "./out-folder.ts";

/** Source: PKWARE's APPNOTE 6.3.10, of which stored and deflated members, and zip64. */
const endSignature = 0x06054b50;
const end64LocatorSignature = 0x07064b50;
const end64Signature = 0x06064b50;
const memberSignature = 0x02014b50;
const localSignature = 0x04034b50;
const endBytes = 22;
const commentBytesMax = 65_535;
/** Bytes of the list of members. */
const listBytesMax = 64 * 1024 * 1024;
/** Bytes of the target of a link. */
const linkBytesMax = 4_096;

const kindMask = 0o170000;
const linkKind = 0o120000;
const folderKind = 0o040000;
const fileKind = 0o100000;

interface Member {
  readonly name: string;
  readonly method: number;
  readonly isEncrypted: boolean;
  readonly packedBytes: number;
  readonly bytes: number;
  readonly localAt: number;
  /** With the kind of file; 0: it says nothing of it. */
  readonly mode: number;
}

/** Unpacks a zip. Its list of members counts, which stands at its end. */
export async function unpackZip(path: string, out: OutFolder): Promise<void> {
  const file = await fs.open(path);
  try {
    for (const member of await listMembers(file)) await place(path, file, member, out);
  } finally {
    await file.close();
  }
}

async function listMembers(file: fs.FileHandle): Promise<Member[]> {
  const { size } = await file.stat();
  const tail = await readAt(
    file,
    Math.max(0, size - endBytes - commentBytesMax),
    Math.min(size, endBytes + commentBytesMax),
  );
  let end = tail.length - endBytes;
  while (end >= 0 && tail.readUInt32LE(end) !== endSignature) end--;
  if (end < 0) throw new FetchFailure("archive: it is damaged, or no zip");
  let listBytes = tail.readUInt32LE(end + 12);
  let listAt = tail.readUInt32LE(end + 16);
  const locator = end - 20;
  if (locator >= 0 && tail.readUInt32LE(locator) === end64LocatorSignature) {
    const end64 = await readAt(file, numberAt(tail, locator + 8), 56);
    if (end64.readUInt32LE(0) !== end64Signature) throw damaged();
    listBytes = numberAt(end64, 40);
    listAt = numberAt(end64, 48);
  }
  if (listBytes > listBytesMax) throw new FetchFailure("archive: its list of members is too long");
  const list = await readAt(file, listAt, listBytes);
  const members: Member[] = [];
  for (let at = 0; at < list.length; ) {
    if (at + 46 > list.length || list.readUInt32LE(at) !== memberSignature) throw damaged();
    const nameBytes = list.readUInt16LE(at + 28);
    const extraBytes = list.readUInt16LE(at + 30);
    const next = at + 46 + nameBytes + extraBytes + list.readUInt16LE(at + 32);
    if (next > list.length) throw damaged();
    members.push(readMember(list.subarray(at, next), nameBytes, extraBytes));
    at = next;
  }
  return members;
}

function readMember(entry: Buffer, nameBytes: number, extraBytes: number): Member {
  const wide = zip64Of(entry.subarray(46 + nameBytes, 46 + nameBytes + extraBytes));
  const value = (at: number): number => {
    const short = entry.readUInt32LE(at);
    if (short !== 0xffffffff) return short;
    const long = wide.shift();
    if (long === undefined) throw damaged();
    return long;
  };
  // In this order, as far as they are there.
  const bytes = value(24);
  const packedBytes = value(20);
  const localAt = value(42);
  const madeByUnix = entry[5] === 3 || entry[5] === 19;
  return {
    name: entry.toString("utf8", 46, 46 + nameBytes).replaceAll("\\", "/"),
    method: entry.readUInt16LE(10),
    isEncrypted: (entry.readUInt16LE(8) & 1) !== 0,
    packedBytes,
    bytes,
    localAt,
    mode: madeByUnix ? entry.readUInt32LE(38) >>> 16 : 0,
  };
}

function zip64Of(extra: Buffer): number[] {
  for (let at = 0; at + 4 <= extra.length; ) {
    const length = extra.readUInt16LE(at + 2);
    if (extra.readUInt16LE(at) === 1) {
      const values: number[] = [];
      for (let place = at + 4; place + 8 <= Math.min(at + 4 + length, extra.length); place += 8)
        values.push(numberAt(extra, place));
      return values;
    }
    at += 4 + length;
  }
  return [];
}

async function place(path: string, file: fs.FileHandle, member: Member, out: OutFolder): Promise<void> {
  const { name, mode } = member;
  const kind = mode & kindMask;
  if (name.endsWith("/") || kind === folderKind) {
    await out.folder(name);
    return;
  }
  if (kind !== 0 && kind !== fileKind && kind !== linkKind)
    throw new FetchFailure(`archive: "${name}" is a device or a pipe`);
  if (member.isEncrypted) throw new FetchFailure(`archive: "${name}" is encrypted`);
  if (member.method !== 0 && member.method !== 8)
    throw new FetchFailure(
      `archive: "${name}" is packed by method ${member.method}; stored and deflated can be unpacked`,
    );
  const content = contentOf(path, file, member);
  if (kind === linkKind) {
    let target = Buffer.alloc(0);
    for await (const piece of content) {
      target = Buffer.concat([target, piece]);
      if (target.length > linkBytesMax) throw damaged();
    }
    await out.link(name, target.toString("utf8"));
  } else await out.file(name, mode === 0 ? 0o644 : mode & 0o7777, content);
}

/** Nothing is opened before it is read, and nothing stays open after. */
async function* contentOf(path: string, file: fs.FileHandle, member: Member): AsyncGenerator<Buffer> {
  const { localAt, packedBytes, bytes, method, name } = member;
  const local = await readAt(file, localAt, 30);
  if (local.readUInt32LE(0) !== localSignature) throw damaged();
  const start = localAt + 30 + local.readUInt16LE(26) + local.readUInt16LE(28);
  if (packedBytes === 0) return;
  const packed = createReadStream(path, { start, end: start + packedBytes - 1 });
  const unpacked = method === 0 ? packed : packed.pipe(createInflateRaw());
  packed.on("error", (error) => unpacked.destroy(error));
  let count = 0;
  try {
    for await (const piece of unpacked as AsyncIterable<Buffer>) {
      count += piece.length;
      if (count > bytes) throw new FetchFailure(`archive: "${name}" is larger than the archive says`);
      yield piece;
    }
  } catch (error) {
    throw (error as NodeJS.ErrnoException).code?.startsWith("Z_") ? damaged() : error;
  } finally {
    packed.destroy();
    unpacked.destroy();
  }
  if (count < bytes) throw new FetchFailure(`archive: "${name}" breaks off`);
}

async function readAt(file: fs.FileHandle, at: number, length: number): Promise<Buffer> {
  const bytes = Buffer.alloc(length);
  const { bytesRead } = await file.read(bytes, 0, length, at);
  if (bytesRead < length) throw damaged();
  return bytes;
}

function numberAt(bytes: Buffer, at: number): number {
  if (at + 8 > bytes.length) throw damaged();
  const value = bytes.readBigUInt64LE(at);
  if (value > BigInt(Number.MAX_SAFE_INTEGER)) throw damaged();
  return Number(value);
}

function damaged(): FetchFailure {
  return new FetchFailure("archive: it is damaged, or no zip");
}

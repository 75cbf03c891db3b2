import { FetchFailure } from "../fetcher/fetch-failure.ts";
import { ByteReader } from "./byte-reader.ts";
import type { OutFolder } from "./out-folder.ts";

/** Source: POSIX.1-2001, "pax Interchange Format", with the long names and large numbers that GNU tar writes. */
const blockBytes = 512;
/** Bytes of what describes a member beside its block. */
const extensionBytesMax = 1024 * 1024;

interface Member {
  readonly name: string;
  readonly type: string;
  readonly mode: number;
  readonly size: number;
  readonly linkTarget: string;
}

/** Unpacks a tar. Files, folders and symbolic links alone; anything else is refused. */
export async function unpackTar(source: AsyncIterable<Buffer>, out: OutFolder): Promise<void> {
  const reader = new ByteReader(source);
  let own: Record<string, string> = {};
  const shared: Record<string, string> = {};
  for (;;) {
    const block = await reader.exactly(blockBytes);
    // Its end are two blocks of zeros; what follows is of no use, and a missing end is no loss.
    if (block.length === 0 || block.every((byte) => byte === 0)) {
      while ((await reader.upTo(64 * 1024)).length > 0);
      return;
    }
    const member = readHeader(block);
    if ("xgLK".includes(member.type)) {
      const text = await readExtension(reader, member);
      if (member.type === "x") own = { ...own, ...paxRecords(text) };
      else if (member.type === "g") Object.assign(shared, paxRecords(text));
      else own[member.type === "L" ? "path" : "linkpath"] = text.toString("utf8").replace(/\0.*$/s, "");
      continue;
    }
    await place(reader, extended(member, { ...shared, ...own }), out);
    own = {};
  }
}

function readHeader(block: Buffer): Member {
  if (block.length < blockBytes) throw brokenOff();
  const sum = block.reduce((total, byte, at) => total + (at >= 148 && at < 156 ? 0x20 : byte), 0);
  if (sum !== numberAt(block, 148, 8)) throw new FetchFailure("archive: it is damaged, or no tar");
  const isUstar = block.toString("latin1", 257, 262) === "ustar";
  // GNU's own form has no prefix there, but times.
  const prefix = isUstar && block[262] === 0 ? textAt(block, 345, 155) : "";
  const name = textAt(block, 0, 100);
  return {
    name: prefix === "" ? name : `${prefix}/${name}`,
    type: String.fromCharCode(block[156] || 0x30),
    mode: numberAt(block, 100, 8),
    size: numberAt(block, 124, 12),
    linkTarget: textAt(block, 157, 100),
  };
}

function extended(member: Member, { path, linkpath, size, ...others }: Record<string, string>): Member {
  if (Object.keys(others).some((name) => name.startsWith("GNU.sparse")))
    throw new FetchFailure(`archive: "${member.name}" is stored with holes; write it without --sparse`);
  return {
    ...member,
    ...(path === undefined ? {} : { name: path }),
    ...(linkpath === undefined ? {} : { linkTarget: linkpath }),
    ...(size === undefined ? {} : { size: wholeNumber(size, 10) }),
  };
}

async function place(reader: ByteReader, member: Member, out: OutFolder): Promise<void> {
  const { name, type, mode, size, linkTarget } = member;
  switch (type) {
    case "0":
    case "7":
      // Before ustar, a folder was a file whose name ends in a slash.
      if (name.endsWith("/")) {
        await out.folder(name);
        await reader.skip(padded(size));
        return;
      }
      await out.file(name, mode, reader.content(size, brokenOff));
      await reader.skip(padded(size) - size);
      return;
    case "5":
      await out.folder(name);
      return;
    case "2":
      await out.link(name, linkTarget);
      return;
    case "1":
      throw new FetchFailure(`archive: "${name}" is a hard link; write it with --hard-dereference`);
    case "3":
    case "4":
    case "6":
      throw new FetchFailure(`archive: "${name}" is a device or a pipe`);
    default:
      throw new FetchFailure(`archive: "${name}" is of kind ${JSON.stringify(type)}, which is not unpacked`);
  }
}

async function readExtension(reader: ByteReader, { size, type }: Member): Promise<Buffer> {
  if (size > extensionBytesMax) throw new FetchFailure(`archive: a description of kind ${type} is too long`);
  const text = await reader.exactly(size);
  if (text.length < size) throw brokenOff();
  await reader.skip(padded(size) - size);
  return text;
}

/** "LENGTH NAME=VALUE\n", one after another. */
function paxRecords(bytes: Buffer): Record<string, string> {
  const records: Record<string, string> = {};
  for (let at = 0; at < bytes.length; ) {
    const space = bytes.indexOf(0x20, at);
    const length = space < 0 ? 0 : wholeNumber(bytes.toString("latin1", at, space), 10);
    const record = bytes.toString("utf8", space + 1, at + length - 1);
    const equals = record.indexOf("=");
    if (length < 5 || at + length > bytes.length || equals < 1) throw new FetchFailure("archive: it is damaged");
    records[record.slice(0, equals)] = record.slice(equals + 1);
    at += length;
  }
  return records;
}

function padded(size: number): number {
  return Math.ceil(size / blockBytes) * blockBytes;
}

function textAt(block: Buffer, from: number, length: number): string {
  const end = block.indexOf(0, from);
  return block.toString("utf8", from, end < 0 || end > from + length ? from + length : end);
}

/** Octal digits, or, with the first bit set, a number of 256 to the power of its places. */
function numberAt(block: Buffer, from: number, length: number): number {
  if (((block[from] ?? 0) & 0x80) === 0) {
    const text = textAt(block, from, length).trim();
    return text === "" ? 0 : wholeNumber(text, 8);
  }
  let value = (block[from] ?? 0) & 0x7f;
  for (let at = from + 1; at < from + length; at++) {
    value = value * 256 + (block[at] ?? 0);
    if (!Number.isSafeInteger(value)) throw new FetchFailure("archive: it is damaged");
  }
  return value;
}

function wholeNumber(text: string, base: 8 | 10): number {
  const value = (base === 8 ? /^[0-7]+$/ : /^[0-9]+$/).test(text) ? Number.parseInt(text, base) : Number.NaN;
  if (!Number.isSafeInteger(value)) throw new FetchFailure("archive: it is damaged, or no tar");
  return value;
}

function brokenOff(): FetchFailure {
  return new FetchFailure("archive: it breaks off");
}

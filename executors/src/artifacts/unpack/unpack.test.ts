import { execFileSync } from "node:child_process";
import {
  createReadStream,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import { crc32, deflateRawSync } from "node:zlib";
import { afterEach, beforeEach, expect, test } from "vitest";
import { OutFolder } from "./out-folder.ts";
import { unpackTar } from "./tar.ts";
import { checkTree, staysWithin } from "./tree.ts";
import { unpackZip } from "./zip.ts";

const limits = { unpackedBytesMax: 1024 * 1024, unpackedFilesMax: 100 };
let folder = "";
let out = "";

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "muster-unpack-"));
  out = join(folder, "out");
  mkdirSync(out);
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

interface Entry {
  readonly name: string;
  readonly type?: string;
  readonly content?: Buffer;
  readonly mode?: number;
  readonly link?: string;
}

function tarOf(...entries: Entry[]): Buffer {
  const blocks = entries.flatMap(({ name, type = "0", content = Buffer.alloc(0), mode = 0o644, link = "" }) => {
    const header = Buffer.alloc(512);
    header.write(name, 0, "utf8");
    header.write(`${mode.toString(8).padStart(7, "0")}\0`, 100);
    header.write(`${content.length.toString(8).padStart(11, "0")}\0`, 124);
    header.write("        ", 148);
    header.write(type, 156);
    header.write(link, 157);
    header.write("ustar\x0000", 257);
    header.write(
      `${header
        .reduce((sum, byte) => sum + byte, 0)
        .toString(8)
        .padStart(6, "0")}\0 `,
      148,
    );
    return [header, content, Buffer.alloc((512 - (content.length % 512)) % 512)];
  });
  return Buffer.concat([...blocks, Buffer.alloc(1024)]);
}

const untar = (bytes: Buffer, bounds = limits) => unpackTar(Readable.from([bytes]), new OutFolder(out, bounds));

/** A zip of stored or deflated members, as any program would write it. */
function zipOf(...entries: (Entry & { readonly says?: number })[]): string {
  const locals: Buffer[] = [];
  const list: Buffer[] = [];
  let at = 0;
  for (const { name, content = Buffer.alloc(0), mode = 0o100644, says } of entries) {
    const packed = deflateRawSync(content);
    const common = Buffer.alloc(26);
    common.writeUInt16LE(20, 0);
    common.writeUInt16LE(8, 4);
    common.writeUInt32LE(crc32(content), 10);
    common.writeUInt32LE(packed.length, 14);
    common.writeUInt32LE(says ?? content.length, 18);
    common.writeUInt16LE(Buffer.byteLength(name), 22);
    const local = Buffer.concat([Buffer.from("PK\x03\x04", "latin1"), common, Buffer.from(name), packed]);
    const rest = Buffer.alloc(14);
    rest.writeUInt32LE((mode << 16) >>> 0, 6);
    rest.writeUInt32LE(at, 10);
    list.push(Buffer.concat([Buffer.from("PK\x01\x02\x14\x03", "latin1"), common, rest, Buffer.from(name)]));
    locals.push(local);
    at += local.length;
  }
  const members = Buffer.concat(list);
  const end = Buffer.alloc(22);
  end.write("PK\x05\x06", "latin1");
  end.writeUInt16LE(entries.length, 10);
  end.writeUInt32LE(members.length, 12);
  end.writeUInt32LE(at, 16);
  const path = join(folder, "a.zip");
  writeFileSync(path, Buffer.concat([...locals, members, end]));
  return path;
}

test("what tar has packed comes out as it went in, with long names, links and rights", async () => {
  const source = join(folder, "in");
  const long = `${"folder-with-a-long-name/".repeat(8)}file`;
  mkdirSync(join(source, long, ".."), { recursive: true });
  writeFileSync(join(source, long), "deep");
  writeFileSync(join(source, "tool"), "#!/bin/sh\n", { mode: 0o755 });
  symlinkSync("tool", join(source, "alias"));
  for (const format of ["gnu", "pax", "ustar"]) {
    rmSync(out, { recursive: true, force: true });
    mkdirSync(out);
    const bytes = execFileSync("tar", [`--format=${format}`, "-cf", "-", "-C", source, "."], { maxBuffer: 1 << 24 });
    await untar(bytes);
    expect(readFileSync(join(out, long), "utf8")).toBe("deep");
    expect(lstatSync(join(out, "tool")).mode & 0o777).toBe(0o755);
    expect(readlinkSync(join(out, "alias"))).toBe("tool");
    await checkTree(out, limits);
  }
});

test.each<[string, Entry[], RegExp]>([
  ["a name that goes up", [{ name: "../x" }], /"\.\.\/x" leads out of it/],
  ["a name in the middle that goes up", [{ name: "a/../../x" }], /leads out of it/],
  ["an absolute name", [{ name: "/etc/x" }], /is an absolute path/],
  ["a hard link", [{ name: "a" }, { name: "b", type: "1", link: "a" }], /is a hard link/],
  ["a device", [{ name: "null", type: "3" }], /is a device or a pipe/],
  ["a pipe", [{ name: "fifo", type: "6" }], /is a device or a pipe/],
  ["a program with the rights of its owner", [{ name: "su", mode: 0o4755 }], /would run with the rights of another/],
  [
    "a file through a link",
    [{ name: "l", type: "2", link: "/tmp" }, { name: "l/x" }],
    /is a folder, and something else/,
  ],
  ["a file in place of a folder", [{ name: "a/b" }, { name: "a" }], /is a folder, and something else/],
])("tar: %s is refused", async (_, entries, expected) => {
  await expect(untar(tarOf(...entries))).rejects.toThrow(expected);
  expect(readdirSync(folder)).toEqual(["out"]);
});

test.each<[string, Entry[], RegExp]>([
  ["a name that goes up", [{ name: "../x" }], /leads out of it/],
  ["a name that goes up the other way", [{ name: "..\\x" }], /leads out of it/],
  ["an absolute name", [{ name: "/etc/x" }], /is an absolute path/],
  ["a program with the rights of its owner", [{ name: "su", mode: 0o104755 }], /would run with the rights of another/],
  ["a device", [{ name: "d", mode: 0o020666 }], /is a device or a pipe/],
  [
    "a file through a link",
    [{ name: "l", mode: 0o120777, content: Buffer.from("/tmp") }, { name: "l/x" }],
    /something else/,
  ],
])("zip: %s is refused", async (_, entries, expected) => {
  await expect(unpackZip(zipOf(...entries), new OutFolder(out, limits))).rejects.toThrow(expected);
  expect(readdirSync(folder).sort()).toEqual(["a.zip", "out"]);
});

test("a zip comes out as it went in", async () => {
  const content = Buffer.from("text ".repeat(1_000));
  const link = { name: "alias", mode: 0o120777, content: Buffer.from("bin/tool") };
  await unpackZip(
    zipOf({ name: "bin/" }, { name: "bin/tool", mode: 0o100755, content }, link),
    new OutFolder(out, limits),
  );
  expect(readFileSync(join(out, "bin/tool"))).toEqual(content);
  expect(lstatSync(join(out, "bin/tool")).mode & 0o777).toBe(0o755);
  expect(readlinkSync(join(out, "alias"))).toBe("bin/tool");
});

test("bombs end at the limits, whatever they say of their size", async () => {
  const zeros = Buffer.alloc(2 * 1024 * 1024);
  await expect(untar(tarOf({ name: "big", content: zeros }))).rejects.toThrow(
    /more than 1048576 bytes \(unpacked_bytes_max\)/,
  );
  await expect(unpackZip(zipOf({ name: "big", content: zeros }), new OutFolder(out, limits))).rejects.toThrow(
    /unpacked_bytes_max/,
  );
  await expect(
    unpackZip(zipOf({ name: "small", content: zeros, says: 10 }), new OutFolder(out, limits)),
  ).rejects.toThrow(/larger than the archive says/);
  const many = Array.from({ length: 101 }, (_, at) => ({ name: `f${at}` }));
  await expect(untar(tarOf(...many))).rejects.toThrow(/more than 100 files \(unpacked_files_max\)/);
});

test("what is damaged or breaks off says so", async () => {
  await expect(untar(Buffer.alloc(512, 7))).rejects.toThrow(/damaged, or no tar/);
  await expect(untar(tarOf({ name: "a", content: Buffer.alloc(2_000) }).subarray(0, 1_024))).rejects.toThrow(
    /breaks off/,
  );
  writeFileSync(join(folder, "no.zip"), "no zip at all, but long enough for the end of one");
  await expect(unpackZip(join(folder, "no.zip"), new OutFolder(out, limits))).rejects.toThrow(/damaged, or no zip/);
  const path = zipOf({ name: "a", content: Buffer.from("hello") });
  const cut = readFileSync(path);
  cut.writeUInt32LE(0xfffffff0, cut.length - 6);
  writeFileSync(path, cut);
  await expect(unpackZip(path, new OutFolder(out, limits))).rejects.toThrow(/damaged, or no zip/);
});

test("a link stays within, also where it leads through others", async () => {
  expect(staysWithin("a/b", 1)).toBe(true);
  expect(staysWithin("../a", 2)).toBe(true);
  expect(staysWithin("../a", 1)).toBe(false);
  expect(staysWithin("/a", 3)).toBe(false);
  expect(staysWithin("a/../../../b", 2)).toBe(false);
  expect(staysWithin("..", 2)).toBe(true);
  symlinkSync("../outside", join(out, "l"));
  await expect(checkTree(out, limits)).rejects.toThrow(/"l" is a link that leads out/);
});

test("a stream is read to its end also where the archive has ended before", async () => {
  const path = join(folder, "a.tar");
  writeFileSync(path, Buffer.concat([tarOf({ name: "a" }), Buffer.alloc(100_000)]));
  await unpackTar(createReadStream(path), new OutFolder(out, limits));
  expect(readdirSync(out)).toEqual(["a"]);
});

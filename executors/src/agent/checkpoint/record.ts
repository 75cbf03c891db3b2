import { crc32c } from "./crc32c.ts";

// Layout, little endian: magic (4), version (2), reserved (2), length of the payload (4), CRC32C (4), payload.
// The CRC covers everything before it and the payload, so that no flipped bit anywhere passes.
const magic = 0x5254534d; // "MSTR"
const version = 1;
const headerBytes = 16;
const crcOffset = 12;

/** Bytes of one record. Beyond, it is refused when written. */
export const recordBytesMax = 4 * 1024 * 1024;

export type Decoded = { readonly ok: true; readonly value: unknown } | { readonly ok: false; readonly reason: string };

export function encodeRecord(value: unknown): Buffer {
  const payload = JSON.stringify(value);
  const length = Buffer.byteLength(payload);
  const bytes = Buffer.allocUnsafe(headerBytes + length);
  bytes.writeUInt32LE(magic, 0);
  bytes.writeUInt16LE(version, 4);
  bytes.writeUInt16LE(0, 6);
  bytes.writeUInt32LE(length, 8);
  bytes.write(payload, headerBytes);
  bytes.writeUInt32LE(checksum(bytes), crcOffset);
  return bytes;
}

/** Gives what was written, or why the bytes can't be what was written. Never throws. */
export function decodeRecord(bytes: Uint8Array): Decoded {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (buffer.length < headerBytes) return { ok: false, reason: `only ${buffer.length} bytes` };
  if (buffer.readUInt32LE(0) !== magic) return { ok: false, reason: "wrong magic" };
  if (buffer.readUInt32LE(8) !== buffer.length - headerBytes) return { ok: false, reason: "wrong length" };
  if (buffer.readUInt32LE(crcOffset) !== checksum(buffer)) return { ok: false, reason: "wrong checksum" };
  const found = buffer.readUInt16LE(4);
  if (found !== version) return { ok: false, reason: `version ${found}, known is ${version}` };
  try {
    return { ok: true, value: JSON.parse(buffer.toString("utf8", headerBytes)) };
  } catch {
    return { ok: false, reason: "no JSON" };
  }
}

function checksum(bytes: Buffer): number {
  return crc32c(bytes.subarray(headerBytes), crc32c(bytes.subarray(0, crcOffset)));
}

import ipaddr from "ipaddr.js";
import { recordClass, recordType } from "./constants.ts";
import type { WireName } from "./name.ts";

/**
 * What a record holds, one character a byte. Kept as text: a million small buffers cost the collector far more than a
 * million short strings, and the text is at once the key by which equal records are found.
 */
export type Rdata = string;

/** Type and bytes of an address; undefined if it is none. */
export function addressRdata(ip: string): { type: number; rdata: Rdata } | undefined {
  const plain = /^(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})$/.exec(ip);
  if (plain) {
    const bytes = plain.slice(1).map(Number);
    return bytes.every((byte) => byte < 256) ? { type: recordType.A, rdata: String.fromCharCode(...bytes) } : undefined;
  }
  // "10.1" and "0x7f.1" are addresses to the library, but not to people.
  if (!ipaddr.IPv6.isValid(ip)) return undefined;
  const bytes = ipaddr.process(ip).toByteArray();
  return { type: bytes.length === 4 ? recordType.A : recordType.AAAA, rdata: String.fromCharCode(...bytes) };
}

/** The address that `addressRdata` was made from, in its usual form. */
export function addressText(rdata: Rdata): string {
  return ipaddr.fromByteArray([...Buffer.from(rdata, "latin1")]).toString();
}

/** Targets are never compressed in SRV records: clients exist that cannot read it. */
export function serviceRdata(priority: number, weight: number, port: number, target: WireName): Rdata {
  return String.fromCharCode(priority >> 8, priority & 255, weight >> 8, weight & 255, port >> 8, port & 255) + target;
}

/** The port of an SRV record. */
export function servicePort(rdata: Rdata): number {
  return (rdata.charCodeAt(4) << 8) | rdata.charCodeAt(5);
}

/** Character strings, each at most 255 bytes. */
export function textRdata(...texts: readonly string[]): Rdata {
  return texts
    .map((text) => Buffer.from(text, "utf8").subarray(0, 255).toString("latin1"))
    .map((bytes) => String.fromCharCode(bytes.length) + bytes)
    .join("");
}

export interface SoaFields {
  readonly server: WireName;
  readonly mailbox: WireName;
  readonly serial: number;
  readonly refreshSeconds: number;
  readonly retrySeconds: number;
  readonly expireSeconds: number;
  /** How long "no such name" may be kept. */
  readonly minimumSeconds: number;
}

export function soaRdata(fields: SoaFields): Rdata {
  const numbers = Buffer.alloc(20);
  const { serial, refreshSeconds, retrySeconds, expireSeconds, minimumSeconds } = fields;
  [serial, refreshSeconds, retrySeconds, expireSeconds, minimumSeconds].forEach((value, i) => {
    numbers.writeUInt32BE(value >>> 0, i * 4);
  });
  return fields.server + fields.mailbox + numbers.toString("latin1");
}

/** A whole record; `owner` is a name or a pointer to one. */
export function resourceRecord(
  owner: Buffer,
  type: number,
  ttlSeconds: number,
  rdata: Rdata,
  ofClass: number = recordClass.IN,
): Buffer {
  const record = Buffer.allocUnsafe(owner.length + 10 + rdata.length);
  owner.copy(record, 0);
  let at = owner.length;
  at = record.writeUInt16BE(type, at);
  at = record.writeUInt16BE(ofClass, at);
  at = record.writeUInt32BE(ttlSeconds, at);
  at = record.writeUInt16BE(rdata.length, at);
  record.write(rdata, at, "latin1");
  return record;
}

/** A pointer to the name at `offset` of the packet. */
export function namePointer(offset: number): Buffer {
  return Buffer.from([0xc0 | (offset >> 8), offset & 0xff]);
}

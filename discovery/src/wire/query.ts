import { headerBytes, optionCode, recordType } from "./constants.ts";
import { isCookieLength } from "./cookie.ts";
import type { WireName } from "./name.ts";

/** Records that a query may carry behind its question; more is an attack, not a question. */
const recordsMax = 16;

/** What a packet asks. `malformed` has what is needed to say so. */
export type Query =
  | { readonly kind: "ignored" }
  | { readonly kind: "malformed"; readonly id: number; readonly flags: number }
  | { readonly kind: "not-a-query"; readonly id: number; readonly flags: number }
  | Question;

export interface Question {
  readonly kind: "question";
  readonly id: number;
  readonly flags: number;
  readonly name: WireName;
  readonly type: number;
  readonly class: number;
  /** End of the question in the packet. */
  readonly end: number;
  /** Present if the client speaks EDNS. */
  readonly edns: Edns | undefined;
}

export interface Edns {
  readonly payloadBytes: number;
  readonly version: number;
  readonly dnssecOk: boolean;
  /** The cookie that was shown: the client's part, perhaps with one of ours. */
  readonly cookie: Buffer | undefined;
}

const ignored: Query = { kind: "ignored" };

/** Reads a packet of any content; never throws. */
export function readQuery(packet: Buffer): Query {
  if (packet.length < headerBytes) return ignored;
  const id = packet.readUInt16BE(0);
  const flags = packet.readUInt16BE(2);
  // An answer is never answered: two servers would talk for ever.
  if (flags & 0x8000) return ignored;
  if ((flags >> 11) & 15) return { kind: "not-a-query", id, flags };
  const malformed: Query = { kind: "malformed", id, flags };
  if (packet.readUInt16BE(4) !== 1) return malformed;
  const nameEnd = skipPlainName(packet, headerBytes);
  if (nameEnd < 0 || nameEnd + 4 > packet.length) return malformed;
  const edns = readEdns(packet, nameEnd + 4);
  if (edns === "malformed") return malformed;
  return {
    kind: "question",
    id,
    flags,
    name: packet.toString("latin1", headerBytes, nameEnd).toLowerCase(),
    type: packet.readUInt16BE(nameEnd),
    class: packet.readUInt16BE(nameEnd + 2),
    end: nameEnd + 4,
    edns,
  };
}

/** The end of a name without compression, or -1. */
function skipPlainName(packet: Buffer, start: number): number {
  for (let at = start; at < packet.length && at - start < 255; ) {
    const length = packet[at] ?? 0;
    if (length === 0) return at + 1;
    if (length > 63) return -1;
    at += length + 1;
  }
  return -1;
}

/** The end of a name that may end in a pointer, or -1. The pointer is not followed: nobody reads the name. */
function skipName(packet: Buffer, start: number): number {
  for (let at = start; at < packet.length && at - start < 255; ) {
    const length = packet[at] ?? 0;
    if (length === 0) return at + 1;
    if (length >= 0xc0) return at + 2 <= packet.length ? at + 2 : -1;
    if (length > 63) return -1;
    at += length + 1;
  }
  return -1;
}

function readEdns(packet: Buffer, start: number): Edns | undefined | "malformed" {
  const before = packet.readUInt16BE(6) + packet.readUInt16BE(8);
  const additional = packet.readUInt16BE(10);
  if (before + additional > recordsMax) return "malformed";
  let edns: Edns | undefined;
  let at = start;
  for (let i = 0; i < before + additional; i++) {
    const fixed = skipName(packet, at);
    if (fixed < 0 || fixed + 10 > packet.length) return "malformed";
    const end = fixed + 10 + packet.readUInt16BE(fixed + 8);
    if (end > packet.length) return "malformed";
    if (packet.readUInt16BE(fixed) === recordType.OPT) {
      if (i < before || edns || packet[at] !== 0) return "malformed";
      const cookie = readCookie(packet, fixed + 10, end);
      if (cookie === "malformed") return "malformed";
      edns = {
        payloadBytes: packet.readUInt16BE(fixed + 2),
        version: packet[fixed + 5] ?? 0,
        dnssecOk: ((packet[fixed + 6] ?? 0) & 0x80) !== 0,
        cookie,
      };
    }
    at = end;
  }
  return edns;
}

/** The first cookie among the options; those that we do not know are passed over. */
function readCookie(packet: Buffer, start: number, end: number): Buffer | undefined | "malformed" {
  let at = start;
  while (at < end) {
    if (at + 4 > end) return "malformed";
    const length = packet.readUInt16BE(at + 2);
    const next = at + 4 + length;
    if (next > end) return "malformed";
    if (packet.readUInt16BE(at) === optionCode.COOKIE)
      return isCookieLength(length) ? packet.subarray(at + 4, next) : "malformed";
    at = next;
  }
  return undefined;
}

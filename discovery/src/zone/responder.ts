import { type Random, randomInt } from "@muster/foundation";
import {
  headerBytes,
  optBytes,
  optionCode,
  recordClass,
  recordType,
  responseCode,
  tcpBytesMax,
  udpBytesMax,
  udpBytesPlain,
} from "../wire/constants.ts";
import { cookieBytes } from "../wire/cookie.ts";
import { nameBytes, type WireName, wireName } from "../wire/name.ts";
import { type Edns, type Question, readQuery } from "../wire/query.ts";
import { namePointer, type Rdata, resourceRecord, soaRdata, textRdata } from "../wire/rdata.ts";
import type { CompiledSet } from "./compiled-set.ts";
import { Cookies } from "./cookies.ts";
import type { Zone } from "./zone.ts";

const apexTtlSeconds = 60;
/** How long "no such name" may be kept: as long as it takes a new task to be missed. */
const negativeTtlSeconds = 5;
const soaTimes = { refreshSeconds: 60, retrySeconds: 600, expireSeconds: 86_400, minimumSeconds: negativeTtlSeconds };

const flagResponse = 0x8000;
const flagAuthoritative = 0x0400;
const flagTruncated = 0x0200;
/** Opcode and "recursion desired" go back as they came. */
const flagsEchoed = 0x7900;

const empty: CompiledSet = { bytes: Buffer.alloc(0), ends: [], additional: Buffer.alloc(0), additionalCount: 0 };

/** What has been answered, by response code; for metrics. */
export interface AnswerCounts {
  readonly byCode: Map<number, number>;
  truncated: number;
  dropped: number;
}

/** Answers packets from a zone. Whatever is asked, it never throws. */
export class Responder {
  readonly counts: AnswerCounts = { byCode: new Map(), truncated: 0, dropped: 0 };
  readonly #zone: Zone;
  readonly #random: Random;
  readonly #epochSeconds: () => number;
  readonly #server: WireName;
  readonly #mailbox: WireName;
  readonly #any: CompiledSet;
  readonly #chaos: ReadonlyMap<WireName, CompiledSet>;
  readonly #cookies: Cookies;
  #serial = 0;
  #serialAtChanges = -1;
  #soa: Rdata = "";

  constructor(
    zone: Zone,
    domain: string,
    random: Random,
    epochSeconds: () => number,
    chaosTexts: Readonly<Record<string, string>> = {},
  ) {
    this.#zone = zone;
    this.#random = random;
    this.#epochSeconds = epochSeconds;
    this.#server = wireName(`ns1.${domain}`) ?? zone.apex;
    this.#mailbox = wireName(`hostmaster.${domain}`) ?? zone.apex;
    // RFC 8482: whoever asks for everything gets something small.
    this.#chaos = chaosSets(chaosTexts);
    const secret = Buffer.from(Array.from({ length: 16 }, () => randomInt(random.stream("cookies"), 256)));
    this.#cookies = new Cookies(secret, epochSeconds);
    this.#any = single(recordType.HINFO, apexTtlSeconds, textRdata("RFC8482", ""));
  }

  /** Moves with each visible change, and not back when the server restarts. */
  get serial(): number {
    this.#soaRdata();
    return this.#serial;
  }

  /** The answer to a packet; undefined if it deserves none. `isServing` false: the zone is not to be believed. */
  answer(packet: Buffer, isTcp: boolean, isServing: boolean, peer = ""): Buffer | undefined {
    const query = readQuery(packet);
    switch (query.kind) {
      case "ignored":
        this.counts.dropped += 1;
        return undefined;
      case "malformed":
        return this.#bare(query.id, query.flags, responseCode.FORMERR);
      case "not-a-query":
        return this.#bare(query.id, query.flags, responseCode.NOTIMP);
      case "question":
        return this.#respond(packet, this.#asked(query, peer), sizeLimit(query.edns, isTcp), isServing);
    }
  }

  /** The question, with the cookie that goes back in place of the one that was shown. */
  #asked(question: Question, peer: string): Question {
    const { edns } = question;
    if (edns?.cookie === undefined) return question;
    return { ...question, edns: { ...edns, cookie: this.#cookies.answer(edns.cookie, peer) } };
  }

  #respond(packet: Buffer, question: Question, limit: number, isServing: boolean): Buffer {
    const { name, type, edns } = question;
    if (edns && edns.version > 0) return this.#fail(packet, question, responseCode.BADVERS);
    const text = question.class === recordClass.CHAOS ? this.#chaos.get(name) : undefined;
    if (text && type === recordType.TXT) return this.#positive(packet, question, text, limit);
    if (question.class !== recordClass.IN || !this.#isInside(name) || isTransfer(type))
      return this.#fail(packet, question, responseCode.REFUSED);
    if (!isServing) return this.#fail(packet, question, responseCode.SERVFAIL);
    const set = this.#find(name, type);
    if (set) return this.#positive(packet, question, set, limit);
    return this.#negative(packet, question, this.#zone.has(name) ? responseCode.NOERROR : responseCode.NXDOMAIN);
  }

  #find(name: WireName, type: number): CompiledSet | undefined {
    if (type === recordType.ANY) return this.#zone.has(name) ? this.#any : undefined;
    if (name === this.#zone.apex) {
      if (type === recordType.SOA) return single(type, apexTtlSeconds, this.#soaRdata());
      if (type === recordType.NS) return this.#nameServers();
    }
    return this.#zone.compiled(name, type);
  }

  #nameServers(): CompiledSet {
    const addresses = [recordType.A, recordType.AAAA].flatMap((type) => this.#zone.records(this.#server, type));
    const owner = nameBytes(this.#server);
    return {
      ...single(recordType.NS, apexTtlSeconds, this.#server),
      additional: Buffer.concat(
        addresses.map(({ type, ttlSeconds, rdata }) => resourceRecord(owner, type, ttlSeconds, rdata)),
      ),
      additionalCount: addresses.length,
    };
  }

  #soaRdata(): Rdata {
    if (this.#zone.changes !== this.#serialAtChanges) {
      this.#serialAtChanges = this.#zone.changes;
      this.#serial = Math.max(this.#serial + 1, this.#epochSeconds()) % 2 ** 32;
      this.#soa = soaRdata({ server: this.#server, mailbox: this.#mailbox, serial: this.#serial, ...soaTimes });
    }
    return this.#soa;
  }

  #positive(packet: Buffer, question: Question, set: CompiledSet, limit: number): Buffer {
    const total = set.ends.length;
    const start = total > 1 ? randomInt(this.#random, total) : 0;
    const room = limit - question.end - bytesOfOpt(question.edns);
    const isWhole = set.bytes.length <= room;
    const hasAdditional = isWhole && set.bytes.length + set.additional.length <= room;
    const count = isWhole ? total : countThatFits(set, start, room);
    const cut = startOf(set, start);
    const answerBytes = isWhole ? set.bytes.length : bytesOf(set, start, count);
    const length = question.end + answerBytes + (hasAdditional ? set.additional.length : 0);
    const flags = isWhole ? flagAuthoritative : flagAuthoritative | flagTruncated;
    if (!isWhole) this.counts.truncated += 1;
    const response = this.#begin(packet, question, length, flags, responseCode.NOERROR);
    response.writeUInt16BE(count, 6);
    response.writeUInt16BE((hasAdditional ? set.additionalCount : 0) + (question.edns ? 1 : 0), 10);
    const beforeWrap = Math.min(set.bytes.length - cut, answerBytes);
    let at = question.end;
    at += set.bytes.copy(response, at, cut, cut + beforeWrap);
    at += set.bytes.copy(response, at, 0, answerBytes - beforeWrap);
    if (hasAdditional) set.additional.copy(response, at);
    return response;
  }

  #negative(packet: Buffer, question: Question, code: number): Buffer {
    // The apex stands at the end of every name of the zone, so the question holds it already.
    const owner = namePointer(headerBytes + question.name.length - this.#zone.apex.length);
    const soa = resourceRecord(owner, recordType.SOA, negativeTtlSeconds, this.#soaRdata());
    const response = this.#begin(packet, question, question.end + soa.length, flagAuthoritative, code);
    response.writeUInt16BE(1, 8);
    response.writeUInt16BE(question.edns ? 1 : 0, 10);
    soa.copy(response, question.end);
    return response;
  }

  #fail(packet: Buffer, question: Question, code: number): Buffer {
    const response = this.#begin(packet, question, question.end, 0, code);
    response.writeUInt16BE(question.edns ? 1 : 0, 10);
    return response;
  }

  #bare(id: number, flags: number, code: number): Buffer {
    const response = Buffer.alloc(headerBytes);
    response.writeUInt16BE(id, 0);
    response.writeUInt16BE(flagResponse | (flags & flagsEchoed) | code, 2);
    this.#count(code);
    return response;
  }

  /** Header, question and OPT of an answer that is `length` bytes long without OPT. Counts other than the question's are 0. */
  #begin(packet: Buffer, question: Question, length: number, flags: number, code: number): Buffer {
    this.#count(code);
    const response = Buffer.allocUnsafe(length + bytesOfOpt(question.edns));
    packet.copy(response, headerBytes, headerBytes, question.end);
    response.writeUInt16BE(question.id, 0);
    response.writeUInt16BE(flagResponse | flags | (question.flags & flagsEchoed) | (code & 15), 2);
    response.writeUInt16BE(1, 4);
    response.writeUInt32BE(0, 6);
    response.writeUInt16BE(0, 10);
    if (question.edns) writeOpt(response, length, code, question.edns);
    return response;
  }

  #count(code: number): void {
    this.counts.byCode.set(code, (this.counts.byCode.get(code) ?? 0) + 1);
  }

  #isInside(name: WireName): boolean {
    const start = name.length - this.#zone.apex.length;
    if (start < 0 || !name.endsWith(this.#zone.apex)) return false;
    let at = 0;
    while (at < start) at += name.charCodeAt(at) + 1;
    return at === start;
  }
}

function sizeLimit(edns: Edns | undefined, isTcp: boolean): number {
  if (isTcp) return tcpBytesMax;
  if (!edns) return udpBytesPlain;
  return Math.min(Math.max(edns.payloadBytes, udpBytesPlain), udpBytesMax);
}

function bytesOfOpt(edns: Edns | undefined): number {
  if (!edns) return 0;
  return edns.cookie ? optBytes + 4 + cookieBytes : optBytes;
}

/** What the server says of itself, in the class that is kept for such things. Nothing but what was set. */
function chaosSets(texts: Readonly<Record<string, string>>): Map<WireName, CompiledSet> {
  const sets = new Map<WireName, CompiledSet>();
  for (const [name, text] of Object.entries(texts)) {
    const wire = wireName(name);
    if (wire === undefined) continue;
    const owner = namePointer(headerBytes);
    const bytes = resourceRecord(owner, recordType.TXT, 0, textRdata(text), recordClass.CHAOS);
    sets.set(wire, { ...empty, bytes, ends: [bytes.length] });
  }
  return sets;
}

function isTransfer(type: number): boolean {
  return type === recordType.AXFR || type === recordType.IXFR;
}

function single(type: number, ttlSeconds: number, rdata: Rdata): CompiledSet {
  const bytes = resourceRecord(namePointer(headerBytes), type, ttlSeconds, rdata);
  return { ...empty, bytes, ends: [bytes.length] };
}

function startOf(set: CompiledSet, index: number): number {
  return index === 0 ? 0 : (set.ends[index - 1] ?? 0);
}

function sizeOf(set: CompiledSet, index: number): number {
  return (set.ends[index] ?? 0) - startOf(set, index);
}

/** How many whole records, counted round from `start`, fit into `room` bytes. */
function countThatFits(set: CompiledSet, start: number, room: number): number {
  let used = 0;
  for (let count = 0; count < set.ends.length; count++) {
    used += sizeOf(set, (start + count) % set.ends.length);
    if (used > room) return count;
  }
  return set.ends.length;
}

function bytesOf(set: CompiledSet, start: number, count: number): number {
  let bytes = 0;
  for (let i = 0; i < count; i++) bytes += sizeOf(set, (start + i) % set.ends.length);
  return bytes;
}

function writeOpt(response: Buffer, start: number, code: number, edns: Edns): void {
  let at = response.writeUInt8(0, start);
  at = response.writeUInt16BE(recordType.OPT, at);
  at = response.writeUInt16BE(udpBytesMax, at);
  at = response.writeUInt8(code >> 4, at);
  at = response.writeUInt8(0, at);
  at = response.writeUInt16BE(edns.dnssecOk ? 0x8000 : 0, at);
  const { cookie } = edns;
  at = response.writeUInt16BE(cookie ? 4 + cookie.length : 0, at);
  if (!cookie) return;
  at = response.writeUInt16BE(optionCode.COOKIE, at);
  at = response.writeUInt16BE(cookie.length, at);
  cookie.copy(response, at);
}

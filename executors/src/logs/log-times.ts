import { promises as fs } from "node:fs";

/** When the bytes of an output file came, as its shim has noted. */
export interface LogTime {
  /** These bytes begin there and go on to the next entry's. */
  readonly offset: number;
  /** They came at or after the one and before the other, in milliseconds since the epoch. */
  readonly fromMs: number;
  readonly untilMs: number;
}

/** Bytes of an entry: three little-endian numbers of 64 bits. */
export const entryBytes = 24;
/** Entries that are read at most; a shim writes fewer in a century. */
const entriesMax = 200_000;

export function parseTimes(bytes: Buffer): LogTime[] {
  const entries: LogTime[] = [];
  for (let at = 0; at + entryBytes <= bytes.length; at += entryBytes)
    entries.push({
      offset: Number(bytes.readBigUInt64LE(at)),
      fromMs: Number(bytes.readBigUInt64LE(at + 8)),
      untilMs: Number(bytes.readBigUInt64LE(at + 16)),
    });
  return entries;
}

/** First byte of what came at `sinceMs` or later; undefined if nothing did. */
export function offsetSince(entries: readonly LogTime[], sinceMs: number): number | undefined {
  return entries.find(({ untilMs }) => untilMs > sinceMs)?.offset;
}

/** The times of one file, read on as the file grows. */
export class GrowingTimes {
  readonly #path: string;
  #entries: LogTime[] = [];

  constructor(path: string) {
    this.#path = path;
  }

  /** Everything that is noted now; nothing if the shim has noted nothing. */
  async read(): Promise<readonly LogTime[]> {
    if (this.#entries.length >= entriesMax) return this.#entries;
    const file = await fs.open(this.#path).catch(() => undefined);
    if (!file) return this.#entries;
    try {
      const known = this.#entries.length * entryBytes;
      const size = Math.min((await file.stat()).size, entriesMax * entryBytes);
      if (size - known < entryBytes) return this.#entries;
      const bytes = Buffer.allocUnsafe(size - known);
      const { bytesRead } = await file.read(bytes, 0, bytes.length, known);
      this.#entries.push(...parseTimes(bytes.subarray(0, bytesRead)));
      return this.#entries;
    } finally {
      await file.close();
    }
  }
}

/** Cuts bytes that begin at `offset` of a file where the known time changes. O(log entries + pieces). */
export function cutByTime(bytes: Buffer, offset: number, entries: readonly LogTime[]): { bytes: Buffer; at: number }[] {
  let index = lastAtOrBefore(entries, offset);
  const pieces: { bytes: Buffer; at: number }[] = [];
  let from = 0;
  while (from < bytes.length) {
    const next = entries[index + 1];
    const to = next ? Math.min(bytes.length, next.offset - offset) : bytes.length;
    if (to > from) pieces.push({ bytes: bytes.subarray(from, to), at: entries[index]?.fromMs ?? 0 });
    from = Math.max(from, to);
    index++;
  }
  return pieces;
}

/** Index of the last entry that begins at or before the offset; -1 if none does. */
function lastAtOrBefore(entries: readonly LogTime[], offset: number): number {
  let low = -1;
  let high = entries.length - 1;
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if ((entries[middle]?.offset ?? 0) <= offset) low = middle;
    else high = middle - 1;
  }
  return low;
}

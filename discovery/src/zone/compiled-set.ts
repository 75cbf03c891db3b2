import { type Random, randomInt } from "@muster/foundation";
import { headerBytes } from "../wire/constants.ts";
import { nameBytes, type WireName } from "../wire/name.ts";
import { namePointer, resourceRecord } from "../wire/rdata.ts";
import type { ZoneRecord } from "./zone.ts";

/** The records of one question in the form in which they are copied into answers. */
export interface CompiledSet {
  /** All records in a shuffled order, owned by the name of the question. */
  readonly bytes: Buffer;
  /** Where each record ends in `bytes`. */
  readonly ends: readonly number[];
  /** Addresses of the targets. */
  readonly additional: Buffer;
  readonly additionalCount: number;
}

const none = Buffer.alloc(0);

/** O(records). A question's name always stands at the same place, so a pointer to it gives its own spelling back. */
export function compileSet(
  values: Iterable<ZoneRecord>,
  ttlSecondsMax: number,
  random: Random,
  addressesOf: (target: WireName) => readonly ZoneRecord[],
): CompiledSet {
  const owner = namePointer(headerBytes);
  const records = shuffle([...values], random);
  const ends: number[] = [];
  let end = 0;
  const parts = records.map((record) => {
    const bytes = resourceRecord(owner, record.type, Math.min(record.ttlSeconds, ttlSecondsMax), record.rdata);
    end += bytes.length;
    ends.push(end);
    return bytes;
  });
  const additional: Buffer[] = [];
  for (const target of new Set(records.map((record) => record.target))) {
    if (target === undefined) continue;
    const targetOwner = nameBytes(target);
    for (const { type, ttlSeconds, rdata } of addressesOf(target))
      additional.push(resourceRecord(targetOwner, type, Math.min(ttlSeconds, ttlSecondsMax), rdata));
  }
  return {
    bytes: Buffer.concat(parts),
    ends,
    additional: additional.length === 0 ? none : Buffer.concat(additional),
    additionalCount: additional.length,
  };
}

/** Every order as likely as any other. */
function shuffle<T>(items: T[], random: Random): T[] {
  for (let i = items.length - 1; i > 0; i--) {
    const j = randomInt(random, i + 1);
    const item = items[i] as T;
    items[i] = items[j] as T;
    items[j] = item;
  }
  return items;
}

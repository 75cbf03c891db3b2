import { status } from "@grpc/grpc-js";
import type { Result } from "@muster/foundation";
import type { EtcdConnection } from "./connection.ts";
import { prefixEnd } from "./keys.ts";
import type { KeyValue } from "./wire.ts";

/** Entries that are asked of etcd at once: with the largest values that is what an answer may hold. */
const pageEntries = 128;
/** A list whose moment etcd has forgotten before it was read is begun anew, so many times. */
const attemptsMax = 3;

export interface Listing {
  readonly prefix: Buffer;
  readonly after?: Buffer | undefined;
  readonly limit?: number | undefined;
  readonly keysOnly?: boolean;
  /** The moment that is asked for; absent: now. */
  readonly revision?: number;
}

/** What begins with a prefix, in order: read in pages, all of one moment, which is told with it. */
export function listPrefix(
  connection: EtcdConnection,
  { prefix, after, limit = Number.POSITIVE_INFINITY, keysOnly = false, revision: asked = 0 }: Listing,
  done: (result: Result<{ readonly kvs: readonly KeyValue[]; readonly revision: number }>) => void,
  attempt = 1,
): void {
  const kvs: KeyValue[] = [];
  const rangeEnd = prefixEnd(prefix);
  const next = (key: Buffer, revision: number): void => {
    const request = { key, rangeEnd, limit: Math.min(pageEntries, limit - kvs.length), revision, keysOnly };
    connection.call("range", request, "again", (result) => {
      if (!result.ok) {
        const isForgotten = result.failure?.code === status.OUT_OF_RANGE && attempt < attemptsMax;
        if (!isForgotten) return done(result);
        return listPrefix(connection, { prefix, after, limit, keysOnly }, done, attempt + 1);
      }
      const moment = revision || (result.value.header?.revision ?? 0);
      for (const kv of result.value.kvs) kvs.push(kv);
      const last = kvs.at(-1);
      if (!result.value.more || last === undefined || kvs.length >= limit)
        return done({ ok: true, value: { kvs, revision: moment } });
      next(afterKey(last.key), moment);
    });
  };
  const from = after === undefined ? prefix : afterKey(after);
  next(Buffer.compare(from, prefix) > 0 ? from : prefix, asked);
}

function afterKey(key: Buffer): Buffer {
  return Buffer.concat([key, Buffer.from([0])]);
}

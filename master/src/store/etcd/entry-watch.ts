import type { Cancel, Clock, Log } from "@muster/foundation";
import type { EtcdConnection } from "./connection.ts";
import { listPrefix } from "./listing.ts";
import { type EtcdChange, watchPrefix } from "./watching.ts";
import type { KeyValue } from "./wire.ts";

/** Between two attempts to read what was missed. */
const retryMs = 200;

/**
 * Every change below a prefix from a revision on. What there is is kept by key and revision, so that changes which etcd
 * has forgotten before they were told can be worked out from a list: one change of each entry then stands for several.
 */
export function watchEntries(
  deps: { clock: Clock; connection: EtcdConnection; log: Log },
  prefix: Buffer,
  fromRevision: number,
  changed: (changes: readonly EtcdChange[]) => void,
): Cancel {
  const { clock, connection } = deps;
  const known = new Map<string, number>();
  let cancel: Cancel = () => {};
  let isOver = false;
  const take = (changes: readonly EtcdChange[]): void => {
    for (const { isDelete, kv } of changes)
      if (isDelete) known.delete(kv.key.toString());
      else known.set(kv.key.toString(), kv.modRevision);
    changed(changes);
  };
  const begin = (): void => {
    listPrefix(connection, { prefix, keysOnly: true, revision: fromRevision - 1 }, (result) => {
      if (isOver) return;
      if (!result.ok) {
        cancel = clock.after(retryMs, begin);
        return;
      }
      for (const { key, modRevision } of result.value.kvs) known.set(key.toString(), modRevision);
      cancel = watchPrefix(deps, prefix.toString(), result.value.revision + 1, { changed: take, forgotten: compare });
    });
  };
  const compare = (resume: (revision: number) => void): void => {
    listPrefix(connection, { prefix }, (result) => {
      if (isOver) return;
      if (!result.ok) {
        clock.after(retryMs, () => !isOver && compare(resume));
        return;
      }
      const changes = difference(known, result.value.kvs);
      if (changes.length > 0) take(changes);
      resume(result.value.revision + 1);
    });
  };
  begin();
  return () => {
    isOver = true;
    cancel();
  };
}

function difference(known: ReadonlyMap<string, number>, present: readonly KeyValue[]): EtcdChange[] {
  const there = new Set(present.map(({ key }) => key.toString()));
  const gone = [...known.keys()].filter((key) => !there.has(key));
  return [
    ...gone.map((key) => ({
      isDelete: true,
      kv: { key: Buffer.from(key), value: Buffer.alloc(0), createRevision: 0, modRevision: 0, version: 0 },
    })),
    ...present
      .filter(({ key, modRevision }) => known.get(key.toString()) !== modRevision)
      .map((kv) => ({ isDelete: false, kv })),
  ];
}

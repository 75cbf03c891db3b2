import type { Cancel, Clock, Log } from "@muster/foundation";
import type { EtcdConnection } from "./connection.ts";
import { prefixEnd } from "./keys.ts";
import { eventDelete, type KeyValue } from "./wire.ts";

/** Between two attempts to watch. */
const retryMs = 200;

export interface EtcdChange {
  readonly isDelete: boolean;
  readonly kv: KeyValue;
}

export interface PrefixEvents {
  /** Changes of one or several transactions, in order. */
  changed(changes: readonly EtcdChange[]): void;
  /** etcd has forgotten changes that were not told yet: look, then give the revision from which to go on. */
  forgotten(resume: (revision: number) => void): void;
}

/** Every change below a prefix from a revision on, over members that fail, until it is cancelled. */
export function watchPrefix(
  deps: { clock: Clock; connection: EtcdConnection; log: Log },
  prefix: string,
  fromRevision: number,
  events: PrefixEvents,
): Cancel {
  const { clock, connection, log } = deps;
  const key = Buffer.from(prefix);
  let nextRevision = fromRevision;
  let isOver = false;
  let cancel: Cancel = () => {};
  const later = (work: () => void): void => {
    cancel = clock.after(retryMs, work);
  };
  const open = (): void => {
    if (isOver) return;
    let isCurrent = true;
    const request = { create: { key, rangeEnd: prefixEnd(key), startRevision: nextRevision } };
    const end = connection.stream(
      "watch",
      request,
      (message) => {
        if (isOver || !isCurrent) return;
        if (message.compactRevision > 0 || message.canceled) {
          isCurrent = false;
          end();
          log.warn({ prefix, reason: message.cancelReason }, "a watch of etcd has ended");
          if (message.compactRevision > 0) events.forgotten(resume);
          else later(open);
          return;
        }
        const changes = message.events.flatMap(({ type, kv }) => (kv ? [{ isDelete: type === eventDelete, kv }] : []));
        const last = changes.at(-1);
        if (last === undefined) return;
        nextRevision = last.kv.modRevision + 1;
        events.changed(changes);
      },
      (error) => {
        if (isOver || !isCurrent) return;
        isCurrent = false;
        log.debug({ prefix, reason: error.message }, "a watch of etcd goes on with the next member");
        later(open);
      },
    );
    cancel = end;
  };
  const resume = (revision: number): void => {
    nextRevision = revision;
    open();
  };
  open();
  return () => {
    isOver = true;
    cancel();
  };
}

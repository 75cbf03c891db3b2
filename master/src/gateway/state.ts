import { invalid, MusterError, type Result, type Store, type StoreEntry } from "@muster/foundation";
import type { StateChange, StateEntry, StateTransactRequest } from "@muster/proto";
import type { MasterHandlers } from "./guard.ts";

export const stateKeyBytesMax = 512;
export const stateValueBytesMax = 262_144;
export const stateChangesMax = 128;
const listEntriesDefault = 1_000;
/** Bytes of values in one answer of a list, below the limit on messages. */
const listBytesMax = 3 * 1024 * 1024;
/** Entries that are read from the store at once. */
const pageSize = 32;

const frameworkForm = /^[A-Za-z0-9][A-Za-z0-9._-]{0,254}$/;

type StateHandlers = Pick<MasterHandlers, "State.Get" | "State.List" | "State.Transact">;

/** A small durable store for frameworks. Each sees the keys below its own name alone. */
export function serveState(store: Store): StateHandlers {
  return {
    "State.Get": ({ framework, key }, _peer, respond) => {
      const fault = frameworkFault(framework) ?? keyFault("key", key);
      if (fault) respond({ ok: false, error: fault });
      else
        store.get(stateKey(framework, key), (result) => {
          if (!result.ok) respond(result);
          else if (result.value) respond({ ok: true, value: { entry: entryOf(framework, result.value) } });
          else respond({ ok: false, error: new MusterError("not-found", `no entry ${key}`) });
        });
      return undefined;
    },
    "State.List": ({ framework, prefix, after, limit }, _peer, respond) => {
      const fault =
        frameworkFault(framework) ??
        (bytesOf(prefix) > stateKeyBytesMax
          ? invalid("prefix", `must have at most ${stateKeyBytesMax} bytes`)
          : undefined);
      if (fault) respond({ ok: false, error: fault });
      else listEntries(store, framework, prefix, after, limit || listEntriesDefault, respond);
      return undefined;
    },
    "State.Transact": (request, _peer, respond) => {
      const fault = transactFault(request);
      if (fault) respond({ ok: false, error: fault });
      else transact(store, request, respond);
      return undefined;
    },
  };
}

/** Where an entry stands in the master's own store. */
export function stateKey(framework: string, key: string): string {
  return `state/${framework}/${key}`;
}

function entryOf(framework: string, { key, value, version }: StoreEntry): StateEntry {
  return { key: key.slice(stateKey(framework, "").length), value: Buffer.from(value), version };
}

function bytesOf(text: string): number {
  return Buffer.byteLength(text);
}

function frameworkFault(framework: string): MusterError | undefined {
  return frameworkForm.test(framework) ? undefined : invalid("framework", "must be the name of a framework");
}

function keyFault(field: string, key: string): MusterError | undefined {
  if (key !== "" && bytesOf(key) <= stateKeyBytesMax) return undefined;
  return invalid(field, `must have 1 to ${stateKeyBytesMax} bytes`);
}

/** Page by page, until there are enough entries or the answer is large enough. */
function listEntries(
  store: Store,
  framework: string,
  prefix: string,
  after: string,
  limit: number,
  respond: (result: Result<{ entries: StateEntry[]; more: boolean }>) => void,
): void {
  const entries: StateEntry[] = [];
  let bytes = 0;
  const next = (from: string | undefined): void => {
    const options = from === undefined ? { limit: pageSize } : { after: from, limit: pageSize };
    store.list(stateKey(framework, prefix), options, (page) => {
      if (!page.ok) return respond(page);
      for (const entry of page.value) {
        if (entries.length >= limit || (entries.length > 0 && bytes + entry.value.length > listBytesMax))
          return respond({ ok: true, value: { entries, more: true } });
        entries.push(entryOf(framework, entry));
        bytes += entry.value.length + entry.key.length;
      }
      if (page.value.length < pageSize) return respond({ ok: true, value: { entries, more: false } });
      next(page.value[page.value.length - 1]?.key);
    });
  };
  next(after === "" ? undefined : stateKey(framework, after));
}

function transactFault({ framework, changes }: StateTransactRequest): MusterError | undefined {
  const fault = frameworkFault(framework);
  if (fault) return fault;
  if (changes.length > stateChangesMax) return invalid("changes", `must be at most ${stateChangesMax}`);
  const keys = new Set<string>();
  for (const [index, change] of changes.entries()) {
    const field = `changes[${index}]`;
    const bad = keyFault(`${field}.key`, change.key);
    if (bad) return bad;
    if (keys.has(change.key)) return invalid(`${field}.key`, `${change.key} is changed twice`);
    keys.add(change.key);
    const kind = kindOf(change);
    if (kind === undefined) return invalid(`${field}.change`, "must say put, delete or check");
    if (kind === "put" && (change.put?.length ?? 0) > stateValueBytesMax)
      return invalid(`${field}.put`, `must have at most ${stateValueBytesMax} bytes`);
    if (kind === "check" && change.version === undefined) return invalid(`${field}.version`, "must be given to check");
  }
  return undefined;
}

function kindOf(change: StateChange): "put" | "delete" | "check" | undefined {
  if (change.change !== undefined) return change.change;
  if (change.delete) return "delete";
  if (change.check) return "check";
  return change.put === undefined ? undefined : "put";
}

function transact(
  store: Store,
  { framework, changes }: StateTransactRequest,
  respond: (result: Result<{ versions: number[] }>) => void,
): void {
  const compares: { key: string; version: number }[] = [];
  const puts: { key: string; value: Uint8Array }[] = [];
  const deletes: string[] = [];
  for (const change of changes) {
    const key = stateKey(framework, change.key);
    if (change.version !== undefined) compares.push({ key, version: change.version });
    const kind = kindOf(change);
    if (kind === "put") puts.push({ key, value: Uint8Array.from(change.put ?? []) });
    else if (kind === "delete") deletes.push(key);
  }
  store.transact({ compares, puts, deletes }, (result) => {
    if (!result.ok) return respond(result);
    const outcome = result.value;
    if (!outcome.committed) {
      const conflict = outcome.conflicts[0];
      const index = changes.findIndex(({ key }) => stateKey(framework, key) === conflict?.key);
      const message = `changes[${index}].version: entry ${changes[index]?.key} is at version ${conflict?.version}, not ${changes[index]?.version}`;
      return respond({ ok: false, error: new MusterError("stale", message, { field: `changes[${index}].version` }) });
    }
    let put = 0;
    const versions = changes.map((change) => {
      const kind = kindOf(change);
      if (kind === "put") return outcome.versions[put++] ?? 0;
      return kind === "check" ? (change.version ?? 0) : 0;
    });
    respond({ ok: true, value: { versions } });
  });
}

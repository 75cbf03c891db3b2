import type { Result, Store, StoreEntry } from "@muster/foundation";
import { type CatalogEntry, CatalogKind, type CatalogSubject } from "@muster/proto";
import { keysOwner } from "../core/validate.ts";
import { stateKey } from "../gateway/state.ts";
import { catalogKeysBytesMax, catalogKeysMax } from "./limits.ts";

/** What stands under a key, or below a folder of keys, as the store has it. O(what is read). */
export function readKeys(store: Store, subject: CatalogSubject, done: (result: Result<CatalogEntry>) => void): void {
  if (subject.kind === CatalogKind.CATALOG_KIND_KEY)
    store.get(stateKey(keysOwner, subject.name), (result) =>
      done(result.ok ? { ok: true, value: entryOf(subject, result.value ? [result.value] : []) } : result),
    );
  else {
    const prefix = stateKey(keysOwner, subject.name === "" ? "" : `${subject.name}/`);
    // One more than may be told says that there are too many.
    store.list(prefix, { limit: catalogKeysMax + 1 }, (result) =>
      done(result.ok ? { ok: true, value: entryOf(subject, result.value) } : result),
    );
  }
}

export function keyPath(storeKey: string): string {
  return storeKey.slice(stateKey(keysOwner, "").length);
}

function entryOf(subject: CatalogSubject, found: readonly StoreEntry[]): CatalogEntry {
  const entry: CatalogEntry = { subject, instances: [], services: [], keys: [], refusal: "" };
  const bytes = found.reduce((sum, { value }) => sum + value.length, 0);
  if (found.length > catalogKeysMax || bytes > catalogKeysBytesMax)
    return {
      ...entry,
      refusal: `more than ${catalogKeysMax} keys or ${catalogKeysBytesMax} bytes: name a folder below it`,
    };
  for (const { key, value } of found) {
    const text = textOf(value);
    if (text === undefined) return { ...entry, refusal: `key ${keyPath(key)} is no text in UTF-8` };
    entry.keys.push({ path: keyPath(key), value: text });
  }
  return entry;
}

function textOf(value: Uint8Array): string | undefined {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(value);
  } catch {
    return undefined;
  }
}

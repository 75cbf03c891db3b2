import {
  type Cancel,
  type Clock,
  type Inlet,
  type Log,
  MusterError,
  type Outlet,
  type Store,
} from "@muster/foundation";
import {
  type CatalogEntry,
  type CatalogFollowRequest,
  type CatalogFollowResponse,
  CatalogKind,
  type CatalogSubject,
  WatchKind,
} from "@muster/proto";
import type { MasterState } from "../core/model.ts";
import { keysOwner } from "../core/validate.ts";
import type { Watchers } from "../feeds/watchers.ts";
import { stateKey } from "../gateway/state.ts";
import { keyPath, readKeys } from "./keys.ts";
import { catalogDoubtMs, catalogMessageBytesMax, catalogReadersMax, catalogTellMs } from "./limits.ts";
import { ServiceIndex } from "./service-index.ts";
import { isOfServices, readSubjects, subjectKey, subjectsOfKey } from "./subjects.ts";

/** A store that does not answer is asked again after so long. */
const retryMs = 1_000;

interface Reader {
  readonly outlet: Outlet<CatalogFollowResponse>;
  wanted: ReadonlyMap<string, CatalogSubject>;
  /** What is to be told: keys of subjects. */
  readonly dirty: Set<string>;
}

export interface CatalogParts {
  readonly state: Pick<MasterState, "epoch" | "awaited">;
  readonly watchers: Pick<Watchers, "open">;
  readonly store: Store;
  readonly clock: Clock;
  readonly log: Log;
}

/**
 * Tells agents what stands under names. It reads the feed itself, once for all readers and only while there are any that
 * want services; keys are read from the store when they are wanted or change. Told is O(what stands under a subject that
 * changed) for each of its readers, at most once in `catalogTellMs` for all changes of services.
 */
export class Catalog {
  readonly #parts: CatalogParts;
  readonly #readers = new Set<Reader>();
  readonly #bySubject = new Map<string, Set<Reader>>();
  /** How many subjects all readers want together. */
  readonly #wishes = { services: 0, keys: 0 };
  readonly #index = new ServiceIndex();
  /** Keys of subjects that the store is asked about. */
  readonly #asked = new Set<string>();
  #feed: Inlet<never> | undefined;
  #keys: Cancel | undefined;
  #wasInDoubt = false;
  #telling: Cancel | undefined;
  #tellsAtMs = Number.POSITIVE_INFINITY;
  #isOver = false;

  constructor(parts: CatalogParts) {
    this.#parts = parts;
  }

  open(outlet: Outlet<CatalogFollowResponse>): Inlet<CatalogFollowRequest> {
    const reader: Reader = { outlet, wanted: new Map(), dirty: new Set() };
    if (this.#readers.size >= catalogReadersMax)
      outlet.end(new MusterError("too-many", `at most ${catalogReadersMax} readers`, { retryAfterMs: 5_000 }));
    else this.#readers.add(reader);
    return {
      receive: (request) => {
        if (!this.#readers.has(reader)) return;
        const wanted = readSubjects(request);
        if (wanted instanceof MusterError) {
          this.#leave(reader);
          outlet.end(wanted);
        } else this.#want(reader, wanted);
      },
      drained: () => this.#tellIn(0),
      closed: () => this.#leave(reader),
    };
  }

  end(error: MusterError): void {
    this.#isOver = true;
    this.#telling?.();
    this.#keys?.();
    for (const { outlet } of this.#readers) outlet.end(error);
    this.#readers.clear();
  }

  #leave(reader: Reader): void {
    if (!this.#readers.delete(reader)) return;
    this.#want(reader, new Map());
  }

  #want(reader: Reader, wanted: ReadonlyMap<string, CatalogSubject>): void {
    for (const [key, subject] of reader.wanted) {
      if (wanted.has(key)) continue;
      this.#wishes[isOfServices(subject) ? "services" : "keys"]--;
      reader.dirty.delete(key);
      const readers = this.#bySubject.get(key);
      readers?.delete(reader);
      if (readers?.size === 0) this.#bySubject.delete(key);
    }
    for (const [key, subject] of wanted) {
      if (reader.wanted.has(key)) continue;
      this.#wishes[isOfServices(subject) ? "services" : "keys"]++;
      reader.dirty.add(key);
      const readers = this.#bySubject.get(key) ?? new Set();
      this.#bySubject.set(key, readers.add(reader));
    }
    reader.wanted = wanted;
    this.#listen();
    this.#tellIn(0);
  }

  /** Reads the feed and watches keys while somebody wants to know. */
  #listen(): void {
    if (this.#wishes.services > 0 && !this.#feed) this.#openFeed();
    else if (this.#wishes.services === 0 && this.#feed) this.#closeFeed();
    if (this.#wishes.keys > 0) this.#keys ??= this.#watchKeys();
    else {
      this.#keys?.();
      this.#keys = undefined;
    }
  }

  #openFeed(): void {
    const kinds = [WatchKind.WATCH_KIND_TASKS];
    const request = { epoch: 0, sequence: 0, kinds, frameworkId: "", agentId: "", role: "" };
    this.#wasInDoubt = this.#isInDoubt();
    this.#feed = this.#parts.watchers.open(request, {
      send: (message) => {
        this.#index.take(message);
        this.#servicesChanged(message.snapshotComplete ? 0 : catalogTellMs);
      },
      ready: () => true,
      end: () => {
        if (this.#isOver || !this.#feed) return;
        this.#closeFeed();
        this.#parts.clock.after(retryMs, () => !this.#isOver && this.#listen());
      },
    });
    this.#watchDoubt();
  }

  #closeFeed(): void {
    const feed = this.#feed;
    this.#feed = undefined;
    feed?.closed(undefined);
    this.#index.clear();
    this.#index.takeChanges();
  }

  #isInDoubt(): boolean {
    return this.#parts.state.awaited.size > 0;
  }

  /** When nobody is awaited any more, what was told in doubt is told anew. */
  #watchDoubt(): void {
    if (!this.#wasInDoubt) return;
    this.#parts.clock.after(catalogDoubtMs, () => {
      if (this.#isOver || !this.#feed) return;
      if (this.#isInDoubt()) return this.#watchDoubt();
      this.#wasInDoubt = false;
      for (const reader of this.#readers)
        for (const [key, subject] of reader.wanted) if (isOfServices(subject)) reader.dirty.add(key);
      this.#tellIn(0);
    });
  }

  #servicesChanged(delayMs: number): void {
    if (!this.#index.isComplete) return;
    const changed = this.#index.takeChanges();
    for (const name of changed) this.#dirty({ kind: CatalogKind.CATALOG_KIND_SERVICE, name }, delayMs);
    if (changed.size > 0) this.#dirty({ kind: CatalogKind.CATALOG_KIND_SERVICES, name: "" }, delayMs);
    if (delayMs === 0) this.#tellIn(0);
  }

  #watchKeys(): Cancel {
    return this.#parts.store.watch(stateKey(keysOwner, ""), (changes) => {
      for (const change of changes) {
        const path = keyPath(change.type === "put" ? change.entry.key : change.key);
        for (const subject of subjectsOfKey(path)) this.#dirty(subject, 0);
      }
    });
  }

  #dirty(subject: CatalogSubject, delayMs: number): void {
    const key = subjectKey(subject);
    const readers = this.#bySubject.get(key);
    if (!readers) return;
    for (const reader of readers) reader.dirty.add(key);
    this.#tellIn(delayMs);
  }

  #tellIn(delayMs: number): void {
    if (this.#isOver) return;
    const { clock } = this.#parts;
    const atMs = clock.monotonicMs() + delayMs;
    if (atMs >= this.#tellsAtMs) return;
    this.#telling?.();
    this.#tellsAtMs = atMs;
    this.#telling = clock.after(delayMs, () => {
      this.#telling = undefined;
      this.#tellsAtMs = Number.POSITIVE_INFINITY;
      this.#tellAll();
    });
  }

  #tellAll(): void {
    /** Made once for all who want it. */
    const made = new Map<string, CatalogEntry>();
    for (const reader of this.#readers) {
      if (reader.dirty.size === 0 || !reader.outlet.ready()) continue;
      const entries: CatalogEntry[] = [];
      for (const key of [...reader.dirty]) {
        const subject = reader.wanted.get(key);
        if (!subject) reader.dirty.delete(key);
        else if (!isOfServices(subject)) this.#ask(key, subject);
        else if (this.#index.isComplete) {
          const entry = made.get(key) ?? this.#entryOf(subject);
          made.set(key, entry);
          entries.push(entry);
          reader.dirty.delete(key);
        }
      }
      this.#send(reader, entries);
    }
  }

  #entryOf(subject: CatalogSubject): CatalogEntry {
    const isList = subject.kind === CatalogKind.CATALOG_KIND_SERVICES;
    return {
      subject,
      instances: isList ? [] : this.#index.instances(subject.name),
      services: isList ? this.#index.services() : [],
      keys: [],
      refusal: "",
    };
  }

  /** Asks the store once for all who wait for it, and tells them. */
  #ask(key: string, subject: CatalogSubject): void {
    if (this.#asked.has(key)) return;
    this.#asked.add(key);
    const waiting = [...(this.#bySubject.get(key) ?? [])].filter(({ dirty }) => dirty.delete(key));
    readKeys(this.#parts.store, subject, (result) => {
      this.#asked.delete(key);
      if (this.#isOver) return;
      if (result.ok) {
        for (const reader of waiting) if (reader.wanted.has(key)) this.#send(reader, [result.value]);
        // It has changed again, or somebody else has come meanwhile.
        this.#tellIn(0);
        return;
      }
      this.#parts.log.warn({ error: result.error }, "a key can't be read yet");
      for (const reader of waiting) if (reader.wanted.has(key)) reader.dirty.add(key);
      this.#tellIn(retryMs);
    });
  }

  #send({ outlet }: Reader, entries: readonly CatalogEntry[]): void {
    const { epoch } = this.#parts.state;
    const inDoubt = this.#isInDoubt();
    let part: CatalogEntry[] = [];
    let bytes = 0;
    for (const entry of entries) {
      part.push(entry);
      bytes += sizeOf(entry);
      if (bytes < catalogMessageBytesMax) continue;
      outlet.send({ epoch, inDoubt, entries: part });
      part = [];
      bytes = 0;
    }
    if (part.length > 0) outlet.send({ epoch, inDoubt, entries: part });
  }
}

/** About as many bytes as an entry takes in a message. */
function sizeOf({ instances, services, keys }: CatalogEntry): number {
  return (
    64 + instances.length * 200 + services.length * 60 + keys.reduce((sum, { value }) => sum + 64 + value.length, 0)
  );
}

import type { Random } from "@muster/foundation";
import type { DnsRecord } from "../names/record.ts";
import { recordType } from "../wire/constants.ts";
import { parentName, type WireName, wireName } from "../wire/name.ts";
import { addressRdata, type Rdata, serviceRdata, textRdata } from "../wire/rdata.ts";
import { type CompiledSet, compileSet } from "./compiled-set.ts";

/** One value of a name, as the zone keeps it. Several sources may hold it: two tasks of one agent share an address. */
export interface ZoneRecord {
  readonly type: number;
  readonly rdata: Rdata;
  readonly ttlSeconds: number;
  /** The name that an SRV record points to. */
  readonly target: WireName | undefined;
  holders: number;
}

export interface RecordSet {
  readonly records: Map<string, ZoneRecord>;
  compiled: CompiledSet | undefined;
}

interface ZoneNode {
  readonly sets: Map<number, RecordSet>;
  /** Names below this one that have something: an empty name with some of them exists nevertheless. */
  below: number;
  /** Names of SRV records that carry this one's addresses in their answers, with how often. */
  referrers: Map<WireName, number> | undefined;
  /** Sources that want the name to exist even without records. */
  holders: number;
}

interface Contribution {
  readonly name: WireName;
  readonly key: string;
  readonly record: ZoneRecord;
}

interface Held {
  readonly contributions: readonly Contribution[];
  readonly names: readonly WireName[];
}

/**
 * Names and their records, each held by the sources (tasks, agents) that gave it. A change touches the names of its
 * source only: O(records of the source). Answers are compiled at their first use and forgotten when a value changes.
 */
export class Zone {
  readonly apex: WireName;
  readonly #random: Random;
  readonly #nodes = new Map<WireName, ZoneNode>();
  readonly #held = new Map<string, Held>();
  #recordCount = 0;
  #changes = 0;
  #ttlSecondsMax = 3_600;

  constructor(domain: string, random: Random) {
    const apex = wireName(domain);
    if (apex === undefined || apex === "\0") throw new RangeError(`domain ${domain}: not a name`);
    this.apex = apex;
    this.#random = random;
    this.#nodes.set(apex, emptyNode());
  }

  /** How many different records there are. */
  get recordCount(): number {
    return this.#recordCount;
  }

  /** Counts visible changes. */
  get changes(): number {
    return this.#changes;
  }

  /** Longest time that any answer may be kept. Lowered while nobody knows whether the answers still hold. */
  limitTtl(secondsMax: number): void {
    if (secondsMax === this.#ttlSecondsMax) return;
    this.#ttlSecondsMax = secondsMax;
    for (const node of this.#nodes.values()) for (const set of node.sets.values()) set.compiled = undefined;
  }

  /**
   * What a source stands for from now on, in place of what it stood for. `emptyNames` exist without records.
   * Returns the records that are no records: an address that is none, a name that is too long.
   */
  replace(source: string, records: readonly DnsRecord[], emptyNames: readonly string[] = []): readonly DnsRecord[] {
    const before = this.#held.get(source);
    const refused: DnsRecord[] = [];
    const contributions: Contribution[] = [];
    for (const record of records) {
      const made = contribution(record);
      if (made) contributions.push(made);
      else refused.push(record);
    }
    const names = emptyNames.map(wireName).filter((name) => name !== undefined && this.#isInside(name)) as WireName[];
    // What stays is added before it is taken away: it never leaves in between.
    const added = contributions.map((made) => this.#add(made));
    for (const name of names) this.#hold(name, 1);
    if (before) this.#release(before);
    if (added.length > 0 || names.length > 0) this.#held.set(source, { contributions: added, names });
    else this.#held.delete(source);
    return refused;
  }

  /** A source that stands for nothing any more. */
  remove(source: string): void {
    const before = this.#held.get(source);
    if (!before) return;
    this.#held.delete(source);
    this.#release(before);
  }

  /** Whether the name exists: it has records, or names below it do. */
  has(name: WireName): boolean {
    const node = this.#nodes.get(name);
    // A name that is only pointed to by others has nothing itself.
    return node !== undefined && (node.sets.size > 0 || node.below > 0 || node.holders > 0 || name === this.apex);
  }

  /** The values of a name, ready to be sent. */
  compiled(name: WireName, type: number): CompiledSet | undefined {
    const set = this.#nodes.get(name)?.sets.get(type);
    if (!set) return undefined;
    set.compiled ??= compileSet(set.records.values(), this.#ttlSecondsMax, this.#random, (target) =>
      this.#addresses(target),
    );
    return set.compiled;
  }

  /** The values of a name. */
  records(name: WireName, type: number): readonly ZoneRecord[] {
    return [...(this.#nodes.get(name)?.sets.get(type)?.records.values() ?? [])];
  }

  /** Every name with records. For people and tests: O(names). */
  names(): WireName[] {
    return [...this.#nodes].filter(([, node]) => node.sets.size > 0).map(([name]) => name);
  }

  #addresses(name: WireName): ZoneRecord[] {
    return [...this.records(name, recordType.A), ...this.records(name, recordType.AAAA)];
  }

  #isInside(name: WireName): boolean {
    return name.endsWith(this.apex) && name !== this.apex;
  }

  #add({ name, key, record }: Contribution): Contribution {
    const node = this.#node(name);
    let set = node.sets.get(record.type);
    if (!set) {
      set = { records: new Map(), compiled: undefined };
      node.sets.set(record.type, set);
    }
    const known = set.records.get(key);
    if (known) {
      known.holders += 1;
      return { name, key, record: known };
    }
    set.records.set(key, record);
    record.holders = 1;
    this.#recordCount += 1;
    if (record.target !== undefined) this.#refer(name, record.target, 1);
    this.#touch(node, set, record.type);
    return { name, key, record };
  }

  #take({ name, key, record }: Contribution): void {
    record.holders -= 1;
    if (record.holders > 0) return;
    const node = this.#nodes.get(name);
    const set = node?.sets.get(record.type);
    if (!node || !set) return;
    set.records.delete(key);
    this.#recordCount -= 1;
    if (set.records.size === 0) node.sets.delete(record.type);
    this.#touch(node, set, record.type);
    if (record.target !== undefined) this.#refer(name, record.target, -1);
    this.#prune(name, node);
  }

  #release(held: Held): void {
    for (const given of held.contributions) this.#take(given);
    for (const name of held.names) this.#hold(name, -1);
  }

  #touch(node: ZoneNode, set: RecordSet, type: number): void {
    this.#changes += 1;
    set.compiled = undefined;
    if (type !== recordType.A && type !== recordType.AAAA) return;
    for (const name of node.referrers?.keys() ?? []) {
      const services = this.#nodes.get(name)?.sets.get(recordType.SRV);
      if (services) services.compiled = undefined;
    }
  }

  #hold(name: WireName, by: 1 | -1): void {
    const node = this.#node(name);
    node.holders += by;
    if (by < 0) this.#prune(name, node);
  }

  #refer(from: WireName, target: WireName, by: 1 | -1): void {
    const node = by > 0 ? this.#node(target) : this.#nodes.get(target);
    if (!node) return;
    node.referrers ??= new Map();
    const count = (node.referrers.get(from) ?? 0) + by;
    if (count > 0) node.referrers.set(from, count);
    else node.referrers.delete(from);
    if (node.referrers.size === 0) node.referrers = undefined;
    if (by < 0) this.#prune(target, node);
  }

  #node(name: WireName): ZoneNode {
    const known = this.#nodes.get(name);
    if (known) return known;
    const node = emptyNode();
    this.#nodes.set(name, node);
    const above = name === this.apex ? undefined : parentName(name);
    if (above !== undefined && above !== "\0") this.#node(above).below += 1;
    return node;
  }

  #prune(name: WireName, node: ZoneNode): void {
    if (name === this.apex || node.sets.size > 0 || node.below > 0 || node.holders > 0 || node.referrers) return;
    if (!this.#nodes.delete(name)) return;
    const above = parentName(name);
    const parent = above === undefined ? undefined : this.#nodes.get(above);
    if (above === undefined || !parent) return;
    parent.below -= 1;
    this.#prune(above, parent);
  }
}

function emptyNode(): ZoneNode {
  return { sets: new Map(), below: 0, referrers: undefined, holders: 0 };
}

function contribution(record: DnsRecord): Contribution | undefined {
  const name = wireName(record.name);
  if (name === undefined) return undefined;
  const made = rdataOf(record);
  if (!made) return undefined;
  const { type, rdata, target } = made;
  const ttlSeconds = record.ttlSeconds;
  return { name, key: rdata, record: { type, rdata, ttlSeconds, target, holders: 0 } };
}

function rdataOf(record: DnsRecord): { type: number; rdata: Rdata; target?: WireName } | undefined {
  if (record.type === "address") return addressRdata(record.ip);
  if (record.type === "txt") return { type: recordType.TXT, rdata: textRdata(record.text) };
  const target = wireName(record.target);
  if (target === undefined || record.port < 1 || record.port > 65_535) return undefined;
  return { type: recordType.SRV, rdata: serviceRdata(record.priority, record.weight, record.port, target), target };
}

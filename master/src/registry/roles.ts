import { type Resources, resources } from "@muster/foundation";
import { type Bound, noBound } from "../allocator/bound.ts";
import { amount, damaged, decode, encode, type Fields, registryKeys, text } from "./records.ts";

/** What operators have said of a role. A role of which nothing was said is not stored. */
export interface StoredRole {
  readonly role: string;
  /** Thousandths. */
  readonly weightMillis: number;
  readonly guarantee: Resources;
  readonly limit: Bound;
}

export function roleKey(role: string): string {
  return `${registryKeys.roles}${role}`;
}

export function encodeRole({ role, weightMillis, guarantee, limit }: StoredRole): Uint8Array {
  // JSON has no infinity: what is not bounded is left out.
  const bounds = Object.entries(limit).filter(([, most]) => typeof most !== "number" || Number.isFinite(most));
  return encode({ role, weightMillis, guarantee, limit: Object.fromEntries(bounds) });
}

/** Throws a MusterError that names the key if the bytes are not what was written. */
export function decodeRole(key: string, value: Uint8Array): StoredRole {
  const record = decode(key, value);
  const guarantee = amounts(key, record, "guarantee");
  const limit = amounts(key, record, "limit");
  const isLimited = Object.keys(limit).some((name) => name !== "custom") || Object.keys(limit.custom ?? {}).length > 0;
  return {
    role: text(key, record, "role"),
    weightMillis: amount(key, record, "weightMillis"),
    guarantee: resources(guarantee),
    limit: isLimited ? { ...noBound, ...limit } : noBound,
  };
}

function amounts(key: string, record: Fields, name: string): Partial<Resources> {
  const found = record[name];
  if (typeof found !== "object" || found === null) throw damaged(key, `lacks ${name}`);
  const { custom, ...scalars } = found as { custom?: unknown };
  const all = [...Object.values(scalars), ...Object.values((custom ?? {}) as object)];
  if (all.some((each) => typeof each !== "number")) throw damaged(key, `has no amounts in ${name}`);
  return found as Partial<Resources>;
}

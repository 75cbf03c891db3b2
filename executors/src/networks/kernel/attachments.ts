import type { NetSpec } from "../../world/nets.ts";

/** Each network of a group as a specification of its own, in their order; none where it has the host's. */
export function attachmentsOf({ more = [], apart: _, ...first }: NetSpec): NetSpec[] {
  if (first.mode === "host") return [];
  return [first, ...more.map((one, at) => ({ ...one, key: first.key, index: at + 1 }))];
}

/** The key of the namespace that one task of a group has for itself. */
export function apartKey(key: string, index: number): string {
  return `${key}.${index}`;
}

/** Keys of all namespaces of a group. */
export function namespaceKeys(spec: NetSpec): string[] {
  const own = spec.mode === "host" ? [] : [spec.key];
  return [...own, ...(spec.apart ?? []).map(({ index }) => apartKey(spec.key, index))];
}

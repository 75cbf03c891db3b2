import type { Job } from "./types.ts";

/** JSON with the keys of every object in order of code units: equal jobs give equal bytes. O(size). */
export function canonicalJson(job: Job): string {
  return JSON.stringify(ordered(job));
}

function ordered(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(ordered);
  if (typeof value !== "object" || value === null) return value;
  const pairs = Object.entries(value).filter(([, item]) => item !== undefined);
  pairs.sort(([a], [b]) => (a < b ? -1 : 1));
  // A prototype-free object, so that a key such as __proto__ is a key like any other.
  const made: Record<string, unknown> = Object.create(null);
  for (const [key, item] of pairs) made[key] = ordered(item);
  return made;
}

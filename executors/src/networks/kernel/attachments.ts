import type { NetSpec } from "../../world/nets.ts";

/** Each network of a group as a specification of its own, in their order. */
export function attachmentsOf({ more = [], ...first }: NetSpec): NetSpec[] {
  return [first, ...more.map((one, at) => ({ ...one, key: first.key, index: at + 1 }))];
}

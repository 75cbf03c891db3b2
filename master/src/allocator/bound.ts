import type { Resources } from "@muster/foundation";

/** The most of each thing that somebody may have. What is not bounded is Infinity, or not named in `custom`. */
export interface Bound {
  readonly cpuMillis: number;
  readonly memoryMiB: number;
  readonly diskMiB: number;
  readonly portCount: number;
  readonly custom: { readonly [name: string]: number };
}

const scalars = ["cpuMillis", "memoryMiB", "diskMiB", "portCount"] as const;
const noCustom: { readonly [name: string]: number } = Object.freeze({});

/** Bounds nothing. */
export const noBound: Bound = Object.freeze({
  cpuMillis: Number.POSITIVE_INFINITY,
  memoryMiB: Number.POSITIVE_INFINITY,
  diskMiB: Number.POSITIVE_INFINITY,
  portCount: Number.POSITIVE_INFINITY,
  custom: noCustom,
});

/** Names come from outside: "toString" is one like any other. */
export function customOf(custom: { readonly [name: string]: number }, name: string, otherwise: number): number {
  return Object.hasOwn(custom, name) ? (custom[name] ?? otherwise) : otherwise;
}

function hasCustom(custom: { readonly [name: string]: number }): boolean {
  for (const _ in custom) return true;
  return false;
}

/** What is left of a bound when so much is held. Below 0 if it is exceeded. */
export function leftOf(bound: Bound, held: Resources): Bound {
  let custom = noCustom;
  if (hasCustom(bound.custom)) {
    const left: Record<string, number> = {};
    for (const name in bound.custom) left[name] = (bound.custom[name] ?? 0) - customOf(held.custom, name, 0);
    custom = left;
  }
  return {
    cpuMillis: bound.cpuMillis - held.cpuMillis,
    memoryMiB: bound.memoryMiB - held.memoryMiB,
    diskMiB: bound.diskMiB - held.diskMiB,
    portCount: bound.portCount - held.portCount,
    custom,
  };
}

/** The narrower of two bounds, thing by thing. */
export function narrower(a: Bound, b: Bound): Bound {
  let { custom } = a;
  if (hasCustom(b.custom)) {
    const both: Record<string, number> = { ...a.custom };
    for (const name in b.custom)
      both[name] = Math.min(customOf(a.custom, name, Number.POSITIVE_INFINITY), b.custom[name] ?? 0);
    custom = both;
  }
  return {
    cpuMillis: Math.min(a.cpuMillis, b.cpuMillis),
    memoryMiB: Math.min(a.memoryMiB, b.memoryMiB),
    diskMiB: Math.min(a.diskMiB, b.diskMiB),
    portCount: Math.min(a.portCount, b.portCount),
    custom,
  };
}

/** Whether the first thing of a sum is above its bound, and which; undefined if all is within. */
export function firstAbove(amount: Resources, bound: Bound): string | undefined {
  if (amount.cpuMillis > bound.cpuMillis) return "cpu";
  if (amount.memoryMiB > bound.memoryMiB) return "memory";
  if (amount.diskMiB > bound.diskMiB) return "disk";
  if (amount.portCount > bound.portCount) return "ports";
  for (const name in bound.custom) if (customOf(amount.custom, name, 0) > (bound.custom[name] ?? 0)) return name;
  return undefined;
}

/**
 * What a bound leaves of an amount; the very same object if that is all of it. Ports that are not bounded go with the
 * processor and the memory: whoever gets half of these gets half of the ports, for without any the rest is of no use.
 */
export function cutTo(amount: Resources, bound: Bound): Resources {
  if (firstAbove(amount, bound) === undefined) return amount;
  const cut = (name: (typeof scalars)[number]): number => Math.max(0, Math.min(amount[name], bound[name]));
  const cpuMillis = cut("cpuMillis");
  const memoryMiB = cut("memoryMiB");
  const part = Math.min(
    amount.cpuMillis > 0 ? cpuMillis / amount.cpuMillis : 1,
    amount.memoryMiB > 0 ? memoryMiB / amount.memoryMiB : 1,
  );
  let { custom } = amount;
  if (hasCustom(custom) && hasCustom(bound.custom)) {
    const left: Record<string, number> = {};
    for (const name in custom) {
      const most = Math.min(custom[name] ?? 0, customOf(bound.custom, name, Number.POSITIVE_INFINITY));
      if (most > 0) left[name] = most;
    }
    custom = left;
  }
  const portCount = Math.min(cut("portCount"), Math.ceil(amount.portCount * part));
  return { cpuMillis, memoryMiB, diskMiB: cut("diskMiB"), portCount, custom };
}

/** The larger of each amount, and never less than nothing. */
export function largerOf(a: Resources, b: Resources): Resources {
  const custom: Record<string, number> = {};
  for (const name in a.custom) {
    const most = Math.max(customOf(a.custom, name, 0), customOf(b.custom, name, 0));
    if (most > 0) custom[name] = most;
  }
  for (const name in b.custom)
    if (!Object.hasOwn(a.custom, name) && (b.custom[name] ?? 0) > 0) custom[name] = b.custom[name] ?? 0;
  return {
    cpuMillis: Math.max(0, a.cpuMillis, b.cpuMillis),
    memoryMiB: Math.max(0, a.memoryMiB, b.memoryMiB),
    diskMiB: Math.max(0, a.diskMiB, b.diskMiB),
    portCount: Math.max(0, a.portCount, b.portCount),
    custom,
  };
}

/** Whether two amounts have something in common: of one thing both have some. */
export function overlaps(a: Resources, b: Resources): boolean {
  for (const name of scalars) if (a[name] > 0 && b[name] > 0) return true;
  for (const name in a.custom) if ((a.custom[name] ?? 0) > 0 && customOf(b.custom, name, 0) > 0) return true;
  return false;
}

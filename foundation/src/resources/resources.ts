import type { Resources } from "@muster/proto";

export type { Resources } from "@muster/proto";

const noCustom: Record<string, number> = Object.freeze({});

/** Nothing of anything. */
export const noResources: Resources = Object.freeze({
  cpuMillis: 0,
  memoryMiB: 0,
  diskMiB: 0,
  portCount: 0,
  custom: noCustom,
});

/** Resources with defaults of 0. A copy: keeps nothing of what it was given. */
export function resources(amounts: Partial<Resources> | null | undefined): Resources {
  if (!amounts) return noResources;
  let custom = noCustom;
  for (const name in amounts.custom) {
    if (custom === noCustom) custom = {};
    custom[name] = amounts.custom[name] ?? 0;
  }
  return {
    cpuMillis: amounts.cpuMillis ?? 0,
    memoryMiB: amounts.memoryMiB ?? 0,
    diskMiB: amounts.diskMiB ?? 0,
    portCount: amounts.portCount ?? 0,
    custom,
  };
}

export function addResources(a: Resources, b: Resources): Resources {
  return {
    cpuMillis: a.cpuMillis + b.cpuMillis,
    memoryMiB: a.memoryMiB + b.memoryMiB,
    diskMiB: a.diskMiB + b.diskMiB,
    portCount: a.portCount + b.portCount,
    custom: combineCustom(a.custom, b.custom, 1),
  };
}

/** May go below 0: the caller knows whether that is a bug. */
export function subtractResources(a: Resources, b: Resources): Resources {
  return {
    cpuMillis: a.cpuMillis - b.cpuMillis,
    memoryMiB: a.memoryMiB - b.memoryMiB,
    diskMiB: a.diskMiB - b.diskMiB,
    portCount: a.portCount - b.portCount,
    custom: combineCustom(a.custom, b.custom, -1),
  };
}

/** A sum or difference; the first one itself if there is nothing to add. Neither is changed. */
export function combineCustom(
  a: Record<string, number>,
  b: Record<string, number>,
  sign: 1 | -1,
): Record<string, number> {
  if (isEmpty(b)) return a;
  const sum = { ...a };
  for (const name in b) {
    const amount = amountOf(sum, name) + sign * amountOf(b, name);
    if (amount === 0) delete sum[name];
    else sum[name] = amount;
  }
  return sum;
}

/** Names come from outside: "toString" is one like any other. */
function amountOf(custom: Record<string, number>, name: string): number {
  return Object.hasOwn(custom, name) ? (custom[name] ?? 0) : 0;
}

function isEmpty(custom: Record<string, number>): boolean {
  for (const _ in custom) return false;
  return true;
}

/** Whether `small` fits into `big` in every amount. */
export function containsResources(big: Resources, small: Resources): boolean {
  return missingResource(small, big) === undefined;
}

/** Whether two amounts are the same in everything. */
export function sameResources(a: Resources, b: Resources): boolean {
  return containsResources(a, b) && containsResources(b, a);
}

export interface Shortage {
  /** For people, for instance "memory". */
  readonly name: string;
  /** "MiB", "milli-CPU", or nothing. */
  readonly unit: string;
  readonly need: number;
  readonly have: number;
}

/** The first amount of which there is not enough. */
export function missingResource(need: Resources, have: Resources): Shortage | undefined {
  if (need.cpuMillis > have.cpuMillis) return shortage("cpu", "milli-CPU", need.cpuMillis, have.cpuMillis);
  if (need.memoryMiB > have.memoryMiB) return shortage("memory", "MiB", need.memoryMiB, have.memoryMiB);
  if (need.diskMiB > have.diskMiB) return shortage("disk", "MiB", need.diskMiB, have.diskMiB);
  if (need.portCount > have.portCount) return shortage("ports", "", need.portCount, have.portCount);
  for (const name in need.custom) {
    const wanted = amountOf(need.custom, name);
    const present = amountOf(have.custom, name);
    if (wanted > present) return shortage(name, "", wanted, present);
  }
  return undefined;
}

function shortage(name: string, unit: string, need: number, have: number): Shortage {
  return { name, unit, need, have: Math.max(0, have) };
}

/** For instance "needs 512 MiB of memory, has 256". */
export function describeShortage({ name, unit, need, have }: Shortage): string {
  return unit === "" ? `needs ${need} ${name}, has ${have}` : `needs ${need} ${unit} of ${name}, has ${have}`;
}

export function isEmptyResources(amounts: Resources): boolean {
  return (
    amounts.cpuMillis === 0 &&
    amounts.memoryMiB === 0 &&
    amounts.diskMiB === 0 &&
    amounts.portCount === 0 &&
    isEmpty(amounts.custom)
  );
}

/** True if an amount is below 0: more was given away than there is. */
export function isNegativeResources(amounts: Resources): boolean {
  if (amounts.cpuMillis < 0 || amounts.memoryMiB < 0 || amounts.diskMiB < 0 || amounts.portCount < 0) return true;
  for (const name in amounts.custom) if ((amounts.custom[name] ?? 0) < 0) return true;
  return false;
}

/** For people, for instance "cpu 0.5, memory 128 MiB". */
export function formatResources(amounts: Resources): string {
  const parts: string[] = [];
  if (amounts.cpuMillis !== 0) parts.push(`cpu ${amounts.cpuMillis / 1000}`);
  if (amounts.memoryMiB !== 0) parts.push(`memory ${amounts.memoryMiB} MiB`);
  if (amounts.diskMiB !== 0) parts.push(`disk ${amounts.diskMiB} MiB`);
  if (amounts.portCount !== 0) parts.push(`ports ${amounts.portCount}`);
  for (const name of Object.keys(amounts.custom).sort()) parts.push(`${name} ${amounts.custom[name]}`);
  return parts.length === 0 ? "nothing" : parts.join(", ");
}

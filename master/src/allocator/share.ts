import type { Resources } from "@muster/foundation";

/** The largest part of anything, 0 to 1. Ports do not count: there are always enough of them. */
export function dominantShare(held: Resources, total: Resources): number {
  let share = 0;
  if (held.cpuMillis > 0) share = Math.max(share, held.cpuMillis / Math.max(1, total.cpuMillis));
  if (held.memoryMiB > 0) share = Math.max(share, held.memoryMiB / Math.max(1, total.memoryMiB));
  if (held.diskMiB > 0) share = Math.max(share, held.diskMiB / Math.max(1, total.diskMiB));
  for (const name in held.custom) {
    const amount = held.custom[name] ?? 0;
    if (amount > 0)
      share = Math.max(share, amount / Math.max(1, Object.hasOwn(total.custom, name) ? (total.custom[name] ?? 0) : 0));
  }
  return share;
}

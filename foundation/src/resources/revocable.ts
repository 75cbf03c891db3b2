import type { Resources } from "@muster/proto";

/**
 * Name of the amount of processor that an agent lends, in thousandths of a core: what its tasks have been given and do
 * not use. It can be taken back at any moment, so it is an amount of its own and never stands for firm processor.
 */
export const revocableCpu = "revocable-cpu";

/** What a framework says it can cope with, so that it is offered what is lent. */
export const revocableCapability = "revocable-resources";

/** Thousandths of a core. */
export function revocableCpuMillis({ custom }: Resources): number {
  return Object.hasOwn(custom, revocableCpu) ? (custom[revocableCpu] ?? 0) : 0;
}

/** The firm part of amounts; the very same object if that is all of it. */
export function withoutRevocable(amounts: Resources): Resources {
  if (!Object.hasOwn(amounts.custom, revocableCpu)) return amounts;
  const { [revocableCpu]: _, ...custom } = amounts.custom;
  return { ...amounts, custom };
}

/** The same amounts with so much lent beside them. */
export function withRevocable(amounts: Resources, cpuMillis: number): Resources {
  const firm = withoutRevocable(amounts);
  return cpuMillis > 0 ? { ...firm, custom: { ...firm.custom, [revocableCpu]: cpuMillis } } : firm;
}

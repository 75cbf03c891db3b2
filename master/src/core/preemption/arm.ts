import type { Core } from "../core.ts";

/** Who waits has waited so long before others are ended for it: what comes free by itself costs nobody anything. */
export const lookIntervalMs = 1_000;
/** While nothing is found, looks are rarer and rarer. */
export const lookIntervalMsMax = 30_000;

/** Plans a look for room; `isNew`: something is wanted that was not, so that it is worth a look soon. */
export function armLook(core: Core, isNew: boolean): void {
  const { allocator, preemption } = core.state;
  if (isNew || preemption.intervalMs === 0) preemption.intervalMs = lookIntervalMs;
  if (preemption.isArmed || !allocator.hasGuarantees) return;
  preemption.isArmed = true;
  core.after(preemption.intervalMs, { type: "look-for-room" });
}

import type { Core } from "./core.ts";
import type { DemandedPart } from "./demand-shapes.ts";
import { settleEagerness } from "./framework-life.ts";
import type { Framework } from "./model.ts";
import { armLook } from "./preemption/arm.ts";

/** An offer is made, or has ended: so many of what is wanted are offered more, or less. */
export function countOffered(core: Core, framework: Framework, parts: readonly DemandedPart[], sign: 1 | -1): void {
  for (const { demand, unitCount } of parts) demand.offeredCount += sign * unitCount;
  settleEagerness(core, framework);
  if (sign < 0) armLook(core, false);
}

/** Groups were started on offers: so many fewer are wanted, until the framework says how many. */
export function useDemanded(
  core: Core,
  framework: Framework,
  parts: readonly DemandedPart[],
  groupCount: number,
): void {
  let left = groupCount;
  for (const { demand, unitCount } of parts) {
    const used = Math.min(left, unitCount, demand.count);
    demand.count -= used;
    left -= used;
    if (used === 0) continue;
    demand.quietUntilMs = 0;
    demand.unusedRoomCount = 0;
  }
  settleEagerness(core, framework);
}

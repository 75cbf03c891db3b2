import type { Core } from "./core.ts";
import type { Framework } from "./model.ts";

/** A framework may decline so many offers in a row before it is backed off; in a larger cluster one of each agent. */
export const declinesInRowMin = 64;
const backoffMsFirst = 5_000;
export const backoffMsMax = 120_000;

/**
 * How long at least what a framework declines stays away from it: nothing at first, then 5 s, doubled each time that it
 * has declined everything once more, at most 120 s. One that declines for ever takes turns from others and costs the
 * master work; the first offer that it uses ends it.
 */
export function backoffMs(core: Core, framework: Framework): number {
  const rounds = Math.floor(framework.declinedInRow / Math.max(declinesInRowMin, core.state.agents.size));
  return rounds === 0 ? 0 : Math.min(backoffMsFirst * 2 ** (rounds - 1), backoffMsMax);
}

/** An offer has come back unused. */
export function noteDecline(framework: Framework): void {
  framework.offersDeclined++;
  framework.declinedInRow++;
}

import type { TaskGroup } from "@muster/jobspecs";

/** An instance whose agent does not answer for so long has failed, where the job says nothing of it. */
const awaitedMsDefault = 5 * 60_000;

/**
 * How long an instance whose agent is cut off is waited for before it has failed. Work that may still go on is not begun a
 * second time before, as a service's is.
 */
export function awaitedMs({ disconnect }: TaskGroup): number {
  if (disconnect?.replace === false) return Number.POSITIVE_INFINITY;
  return disconnect?.lostAfterMs ?? awaitedMsDefault;
}

import type { TaskGroup } from "@muster/jobspecs";
import type { Instance } from "./model.ts";

/** An instance whose agent has not answered for so long is replaced, where the job says nothing of it. */
const unreachableMsMax = 60_000;
/** An instance whose agent comes back after so long gives way to the one that took its place. */
const expungeMs = 15 * 60_000;

/** When an instance that is out of reach is replaced, as `monotonicMs`; undefined: never, it is waited for. */
export function replacedAtMs({ disconnect }: TaskGroup, unreachableSinceMs: number): number | undefined {
  if (disconnect?.replace === false) return undefined;
  return disconnect?.lostAfterMs === undefined ? unreachableSinceMs + unreachableMsMax : unreachableSinceMs;
}

/** After how many milliseconds out of reach an instance that comes back has to go. */
export function givenUpAfterMs({ disconnect }: TaskGroup): number {
  if (disconnect?.replace === false) return Number.POSITIVE_INFINITY;
  return disconnect?.lostAfterMs ?? expungeMs;
}

/**
 * Which of two instances in one place stays, as the job says. Undefined: nothing but what they are worth decides; or the
 * one that is to stay does not run yet, and the other serves until it does.
 */
export function keptOf({ disconnect }: TaskGroup, a: Instance, b: Instance): Instance | "both" | undefined {
  if (a.cameBackLate || b.cameBackLate) return undefined;
  const [older, newer] = isOlder(a, b) ? [a, b] : [b, a];
  switch (disconnect?.reconcile) {
    case "keep_original":
      return older;
    case "keep_replacement":
      return newer.runningSinceMs === undefined && older.runningSinceMs !== undefined ? "both" : newer;
    case "longest_running":
      if (a.startedAt === b.startedAt) return undefined;
      // What has not started runs for the shortest.
      return (a.startedAt || Number.POSITIVE_INFINITY) < (b.startedAt || Number.POSITIVE_INFINITY) ? a : b;
    default:
      return undefined;
  }
}

/** Ids count: first the starts of the framework, then its launches. */
function isOlder(a: Instance, b: Instance): boolean {
  const [[start = 0, count = 0], [otherStart = 0, otherCount = 0]] = [numbersOf(a), numbersOf(b)];
  return start === otherStart ? count < otherCount : start < otherStart;
}

function numbersOf({ id }: Instance): number[] {
  return id.split("-").map((digits) => Number.parseInt(digits, 36));
}

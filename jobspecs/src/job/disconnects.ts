import { typed } from "./reader.ts";

/**
 * Which of two stays when an agent comes back with an instance that was replaced meanwhile. best_score: the better one, of
 * equals the older. keep_original and keep_replacement say it. longest_running: the one that has run for longer.
 */
export const reconcilePolicies = ["best_score", "keep_original", "keep_replacement", "longest_running"] as const;
export type ReconcilePolicy = (typeof reconcilePolicies)[number];

/** What becomes of instances whose agent is cut off. */
export interface DisconnectStrategy {
  /**
   * They are replaced at once, and count again if they come back in this time; later they have to go. Absent: replaced
   * after a minute, and counted again for a quarter of an hour.
   */
  readonly lostAfterMs?: number;
  /** The agent itself ends them when it has had no master for so long. Absent: it does not. */
  readonly stopOnClientAfterMs?: number;
  /** false: nothing takes their place, they are waited for. */
  readonly replace: boolean;
  readonly reconcile: ReconcilePolicy;
}

export const decodeDisconnect = typed((reader): DisconnectStrategy => {
  const both = reader.has("lostAfterMs") && reader.has("stopOnClientAfterMs");
  if (both) reader.fail("stopOnClientAfterMs", "can't stand beside lostAfterMs");
  return {
    ...(reader.has("lostAfterMs") ? { lostAfterMs: reader.duration("lostAfterMs") } : {}),
    ...(reader.has("stopOnClientAfterMs") ? { stopOnClientAfterMs: reader.duration("stopOnClientAfterMs") } : {}),
    replace: reader.bool("replace"),
    reconcile: reader.oneOf("reconcile", reconcilePolicies),
  };
});

import { reconcilePolicies } from "../job/disconnects.ts";
import { type BlockSchema, block, works } from "./model.ts";

export const disconnectBlock: BlockSchema = block(
  "Instances whose agent is cut off; replaced after a minute, and the better of two stays; of a batch job after five minutes.",
  {
    attributes: {
      lost_after: works(
        "duration",
        "Replaced at once, of a batch job after so long; what comes back in this time counts again.",
        { min: 0 },
      ),
      stop_on_client_after: works("duration", "The agent ends it after so long without a master.", { min: 1 }),
      replace: works("bool", "false: nothing takes its place meanwhile; true."),
      reconcile: works(
        "string",
        "Who stays of two: best_score (default), keep_original, keep_replacement or longest_running.",
        { oneOf: reconcilePolicies },
      ),
    },
  },
);

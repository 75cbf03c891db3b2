import { type InstanceMove, invalid, type JobHandlers, MusterError } from "@muster/framework-sdk";
import type { JobEntry, Now, ServicesState } from "./core/model.ts";
import { beginMoves, movesMax, type PlannedMove, planRebalance, standingReason } from "./core/rebalance.ts";
import type { Surroundings } from "./core/report.ts";

/** Moves that a caller may ask for at once. */
const movesAskedMax = 1_000;

export interface RebalanceContext {
  readonly state: ServicesState;
  now(): Now;
  around(): Surroundings;
  /** Throws `not-found`. */
  find(name: string): JobEntry;
  /** Something has changed: decide at the end of this tick. */
  changed(): void;
}

/** Plans a better distribution of one job's instances, or of all jobs', and begins it unless it is to be shown alone. */
export function rebalanceHandler(context: RebalanceContext): Pick<JobHandlers, "Rebalance"> {
  return {
    Rebalance: ({ name, dryRun, movesMax: asked }, reply) => {
      if (asked > movesAskedMax) throw invalid("moves_max", `must be at most ${movesAskedMax}`);
      const plan = planRebalance(entriesOf(context, name), context.around(), context.now(), asked || movesMax);
      if (!dryRun && plan.moves.length > 0) {
        beginMoves(context.state, plan.moves);
        context.changed();
      }
      reply.send({ moves: plan.moves.map(moveView), remarks: [...plan.remarks] });
    },
  };
}

function entriesOf({ state, find }: RebalanceContext, name: string): JobEntry[] {
  if (name === "")
    return [...state.jobs.values()].filter(({ current, isStopped }) => current.job.type === "service" && !isStopped);
  const entry = find(name);
  const reason = standingReason(entry);
  if (reason !== undefined) throw new MusterError("wrong-state", `job ${name} can't be rebalanced: ${reason}`);
  return [entry];
}

function moveView({ entry, instance, fromAgentName, toAgentId, toAgentName, reason }: PlannedMove): InstanceMove {
  return {
    job: entry.name,
    instance: `${entry.name}.${instance.group}.${instance.index}`,
    fromAgentId: instance.agentId,
    fromAgentName,
    toAgentId,
    toAgentName,
    reason,
  };
}

import { isUsable } from "@muster/framework-sdk";
import type { Job } from "@muster/jobspecs";
import { type CronState, hasEnded, type Instance, isOver, type JobEntry, type Run } from "./model.ts";
import { jobOf } from "./turn.ts";

/** Whether each run of a job is one on every agent. */
export function isEverywhere({ type }: Pick<Job, "type">): boolean {
  return type === "sysbatch";
}

/**
 * Whether a run goes on for agents that come later, until its job is stopped or replaced: that of a job which is neither
 * due at times nor dispatched.
 */
export function isLasting(entry: JobEntry, run: Run): boolean {
  const job = jobOf(entry, run);
  return isEverywhere(job) && !job.schedule && !job.parameterized && !entry.current.dispatch;
}

/** Whether a lasting run has nothing to do until another agent comes. */
export function isIdle(state: CronState, run: Run): boolean {
  const { hasMore } = run.coverage;
  return !hasMore && run.instances.length > 0 && run.instances.every((one) => isOver(one) || isAway(state, one));
}

/** Whether an instance waits for an agent that can start nothing now. */
export function isAway({ agents }: CronState, { isPinned, phase, inQuestion, agentId }: Instance): boolean {
  if (!isPinned || phase !== "waiting" || inQuestion || !agents) return false;
  const agent = agents.known.get(agentId);
  return agent === undefined || !isUsable(agent);
}

/** How a lasting run stands: so many agents are done with it, on so many of them it failed. */
export function outcomeOf(run: Run): { doneCount: number; failedCount: number } {
  const doneCount = run.instances.filter(isOver).length;
  return { doneCount, failedCount: run.instances.filter((one) => isOver(one) && one.phase !== "succeeded").length };
}

/** What came of an ended run on each agent is kept until the next one begins. */
export function forgetAgents(entry: JobEntry): void {
  for (const run of entry.runs) if (hasEnded(run)) run.instances.splice(1);
}

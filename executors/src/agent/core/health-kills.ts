import { CheckAction, StatusReason } from "@muster/proto";
import { isAwaited } from "./health-asks.ts";
import { beginKill } from "./kill.ts";
import type { AgentState, Task } from "./model.ts";
import type { Context } from "./status.ts";

/**
 * Of the living tasks of one group of a job on this agent, at most this part is killed for failing checks within one
 * interval of theirs, and at least one may be. A dependency that fails takes the health of everything that needs it:
 * killing all at once would only add an outage to it.
 */
export const healthKillsFraction = 0.25;

/** For each group of a job, when each of its latest kills stops counting, monotonic, in the order of the kills. */
export type HealthKills = Map<string, number[]>;

/**
 * Kills a task whose check says so, if not too many of its fellows were killed already. Otherwise it stays unhealthy
 * and is considered again when it fails the next time, an interval later. O(tasks).
 */
export function killForHealth(context: Context, task: Task, index: number, intervalMs: number, message: string): void {
  const action = task.spec.healthChecks[index]?.action;
  if (task.kill || (action !== CheckAction.CHECK_ACTION_KILL && action !== CheckAction.CHECK_ACTION_ASK)) return;
  if (action === CheckAction.CHECK_ACTION_ASK && isAwaited(context, task, intervalMs)) return;
  const { state, now, effects } = context;
  if (takeKill(state.healthKills, cohortOf(task), livingOf(state, task), now.monotonicMs, intervalMs)) {
    beginKill(context, task, { reason: StatusReason.REASON_UNHEALTHY, message });
    return;
  }
  const fields = { taskId: task.info.taskId, reason: message };
  const words = "an unhealthy task is not killed yet: too many of its group were within one interval";
  effects.push({ type: "log", level: "debug", fields, message: words });
}

/** Whether one more of a cohort may be killed now; if so, it counts for one interval. */
export function takeKill(
  kills: HealthKills,
  cohort: string,
  livingCount: number,
  nowMs: number,
  intervalMs: number,
): boolean {
  const counting = (kills.get(cohort) ?? []).filter((untilMs) => untilMs > nowMs);
  const countMax = Math.max(1, Math.floor(livingCount * healthKillsFraction));
  const isAllowed = counting.length < countMax;
  if (isAllowed) counting.push(nowMs + intervalMs);
  kills.set(cohort, counting);
  return isAllowed;
}

/** Forgets what no longer counts, so that groups long gone leave nothing behind. O(groups of jobs). */
export function forgetKills(kills: HealthKills, nowMs: number): void {
  for (const [cohort, untilMs] of kills) if (untilMs.every((each) => each <= nowMs)) kills.delete(cohort);
}

/** Tasks that are alike: those of one group of one job. */
function cohortOf({ group, spec }: Task): string {
  return JSON.stringify([group.frameworkId, spec.jobName, spec.groupName]);
}

function livingOf(state: AgentState, task: Task): number {
  const cohort = cohortOf(task);
  let count = 0;
  for (const other of state.tasks.values()) if (other.phase !== "ended" && cohortOf(other) === cohort) count++;
  return count;
}

import { randomInt } from "@muster/foundation";
import { Health, type HealthCheck, StatusReason, TaskState } from "@muster/proto";
import type { ProbeResult } from "../../world/prober.ts";
import { taskOf } from "./attempts.ts";
import { checkPolicy, eagerDelayFactor } from "./check-policy.ts";
import { probeEnded } from "./due-checks.ts";
import { asksFirst, wasAsked } from "./health-asks.ts";
import { killForHealth } from "./health-kills.ts";
import type { Now, Task } from "./model.ts";
import { type Context, report } from "./status.ts";

/** The checks of a task that runs begin; those of an adopted one are spread, its health is taken as it was. */
export function startChecks({ state, now }: Context, task: Task, isAdopted: boolean): void {
  for (const [index, check] of task.checks.entries()) {
    const { intervalMs } = checkPolicy(task.spec.healthChecks[index] as HealthCheck);
    const spread = isAdopted ? randomInt(state.random, intervalMs) : 0;
    check.nextAtMs = now.monotonicMs + spread;
    if (!isAdopted || task.health === Health.HEALTH_UNSPECIFIED) continue;
    // It was healthy once, or its grace was over: a restart of the agent gives it no other.
    check.everPassed = true;
    check.passing = task.health === Health.HEALTH_HEALTHY;
  }
}

/** Takes in how a check went. */
export function probed(context: Context, id: string, index: number, result: ProbeResult): void {
  const { state, now } = context;
  probeEnded(state, id, index);
  const task = taskOf(state, id);
  const check = task?.checks[index];
  const spec = task?.spec.healthChecks[index];
  if (!task || !check || !spec || task.phase !== "running") return;
  check.lastMessage = result.message;
  const { intervalMs } = checkPolicy(spec);
  if (result.passed) {
    // The phase of each check is its own, so that a thousand tasks started at once are not asked at once for ever.
    const first = !check.everPassed;
    check.everPassed = true;
    check.passing = true;
    check.failures = 0;
    check.nextAtMs = now.monotonicMs + (first ? intervalMs / 2 + randomInt(state.random, intervalMs) / 2 : intervalMs);
  } else {
    check.passing = false;
    check.nextAtMs = now.monotonicMs + (check.everPassed ? intervalMs : check.delayMs);
    if (!check.everPassed) check.delayMs = Math.min(intervalMs, check.delayMs * eagerDelayFactor);
    if (check.everPassed || isGraceOver(now, task, spec)) check.failures++;
  }
  settleHealth(context, task);
  actOn(context, task, index);
}

function isGraceOver(now: Now, task: Task, check: HealthCheck): boolean {
  return now.epochMs - (task.started?.at ?? 0) >= checkPolicy(check).graceMs;
}

function settleHealth(context: Context, task: Task): void {
  const failing = task.checks.findIndex((_, index) => isFailing(task, index));
  const health =
    failing >= 0
      ? Health.HEALTH_UNHEALTHY
      : task.checks.every((check) => check.everPassed && (check.passing || task.health === Health.HEALTH_HEALTHY))
        ? Health.HEALTH_HEALTHY
        : task.health;
  const asking = task.checks.findIndex((_, index) => isFailing(task, index) && asksFirst(task, index));
  const isNews = wasAsked(context, task, asking >= 0);
  if (health === task.health && !isNews) return;
  task.health = health;
  const taskState = task.kill ? TaskState.TASK_KILLING : TaskState.TASK_RUNNING;
  const told = asking >= 0 ? asking : failing;
  const reason = task.killAsked ? StatusReason.REASON_KILL_ASKED : StatusReason.REASON_HEALTH_CHANGED;
  report(context, task, taskState, { reason, message: told >= 0 ? failureOf(task, told) : "" });
}

/** Acts on the failure of a check that has just been made. */
function actOn(context: Context, task: Task, index: number): void {
  const spec = task.spec.healthChecks[index];
  if (!spec || !isFailing(task, index)) return;
  killForHealth(context, task, index, checkPolicy(spec).intervalMs, failureOf(task, index));
}

function isFailing(task: Task, index: number): boolean {
  const spec = task.spec.healthChecks[index];
  return spec !== undefined && (task.checks[index]?.failures ?? 0) >= checkPolicy(spec).failuresMax;
}

function failureOf(task: Task, index: number): string {
  return `check ${task.spec.healthChecks[index]?.name || index}: ${task.checks[index]?.lastMessage}`;
}

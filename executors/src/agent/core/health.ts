import { randomInt } from "@muster/foundation";
import { Health, type HealthCheck, StatusReason, type TaskSpec, TaskState } from "@muster/proto";
import type { ProbeResult } from "../../world/prober.ts";
import { killForHealth } from "./health-kills.ts";
import type { Check, Now, Task } from "./model.ts";
import { probeTarget } from "./probe-target.ts";
import { type Context, report } from "./status.ts";

/** Until a check has passed for the first time it is made more often than its interval says. */
export const eagerDelayMsFirst = 250;
export const eagerDelayFactor = 1.5;
export const checkDefaults = { intervalMs: 10_000, timeoutMs: 5_000, failuresMax: 3, graceMs: 300_000 } as const;

export function firstChecks(spec: TaskSpec): Check[] {
  return spec.healthChecks.map(() => ({
    nextAtMs: undefined,
    delayMs: eagerDelayMsFirst,
    failures: 0,
    everPassed: false,
    passing: false,
    lastMessage: "",
  }));
}

/** The checks of a task that runs begin; those of an adopted one are spread, its health is taken as it was. */
export function startChecks({ state, now }: Context, task: Task, isAdopted: boolean): void {
  for (const [index, check] of task.checks.entries()) {
    const spread = isAdopted ? randomInt(state.random, intervalMs(task.spec.healthChecks[index] as HealthCheck)) : 0;
    check.nextAtMs = now.monotonicMs + spread;
    if (!isAdopted || task.health === Health.HEALTH_UNSPECIFIED) continue;
    // It was healthy once, or its grace was over: a restart of the agent gives it no other.
    check.everPassed = true;
    check.passing = task.health === Health.HEALTH_HEALTHY;
  }
}

/** Makes the checks that are due, as far as not too many are under way. */
export function runChecks(context: Context, task: Task): void {
  const { state, now, effects } = context;
  if (task.phase !== "running") return;
  for (const [index, check] of task.checks.entries()) {
    if (check.nextAtMs === undefined || now.monotonicMs < check.nextAtMs) continue;
    if (state.probesUnderWay >= state.config.probesMax) return;
    const spec = task.spec.healthChecks[index] as HealthCheck;
    const target = probeTarget(task, spec, state.config);
    if (!target) {
      check.nextAtMs = now.monotonicMs + intervalMs(spec);
      continue;
    }
    check.nextAtMs = undefined;
    state.probesUnderWay++;
    const timeoutMs = spec.timeoutMs || checkDefaults.timeoutMs;
    effects.push({ type: "probe", id: task.id, index, target, timeoutMs });
  }
}

/** Takes in how a check went. */
export function probed(context: Context, id: string, index: number, result: ProbeResult): void {
  const { state, now } = context;
  state.probesUnderWay = Math.max(0, state.probesUnderWay - 1);
  const task = state.tasks.get(id);
  const check = task?.checks[index];
  const spec = task?.spec.healthChecks[index];
  if (!task || !check || !spec || task.phase !== "running") return;
  check.lastMessage = result.message;
  if (result.passed) {
    // The phase of each check is its own, so that a thousand tasks started at once are not asked at once for ever.
    const first = !check.everPassed;
    check.everPassed = true;
    check.passing = true;
    check.failures = 0;
    const interval = intervalMs(spec);
    check.nextAtMs = now.monotonicMs + (first ? interval / 2 + randomInt(state.random, interval) / 2 : interval);
  } else {
    check.passing = false;
    check.nextAtMs = now.monotonicMs + (check.everPassed ? intervalMs(spec) : check.delayMs);
    if (!check.everPassed) check.delayMs = Math.min(intervalMs(spec), check.delayMs * eagerDelayFactor);
    if (check.everPassed || isGraceOver(now, task, spec)) check.failures++;
  }
  settleHealth(context, task);
  actOn(context, task, index);
}

function isGraceOver(now: Now, task: Task, check: HealthCheck): boolean {
  return now.epochMs - (task.started?.at ?? 0) >= (check.graceMs ?? checkDefaults.graceMs);
}

function settleHealth(context: Context, task: Task): void {
  const failing = task.checks.findIndex((_, index) => isFailing(task, index));
  const health =
    failing >= 0
      ? Health.HEALTH_UNHEALTHY
      : task.checks.every((check) => check.everPassed && (check.passing || task.health === Health.HEALTH_HEALTHY))
        ? Health.HEALTH_HEALTHY
        : task.health;
  if (health !== task.health) {
    task.health = health;
    const taskState = task.kill ? TaskState.TASK_KILLING : TaskState.TASK_RUNNING;
    const message = failing >= 0 ? failureOf(task, failing) : "";
    report(context, task, taskState, { reason: StatusReason.REASON_HEALTH_CHANGED, message });
  }
}

/** Acts on the failure of a check that has just been made. */
function actOn(context: Context, task: Task, index: number): void {
  const spec = task.spec.healthChecks[index];
  if (spec && isFailing(task, index)) killForHealth(context, task, index, intervalMs(spec), failureOf(task, index));
}

function isFailing(task: Task, index: number): boolean {
  return (task.checks[index]?.failures ?? 0) >= failuresMax(task, index);
}

function failureOf(task: Task, index: number): string {
  return `check ${task.spec.healthChecks[index]?.name || index}: ${task.checks[index]?.lastMessage}`;
}

function intervalMs(check: HealthCheck): number {
  return check.intervalMs || checkDefaults.intervalMs;
}

function failuresMax(task: Task, index: number): number {
  return task.spec.healthChecks[index]?.failuresMax || checkDefaults.failuresMax;
}

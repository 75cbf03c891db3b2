import type { HealthCheck } from "@muster/proto";
import { procId } from "./attempts.ts";
import { checkPolicy } from "./check-policy.ts";
import type { AgentState, Check, Task } from "./model.ts";
import { needsHelper, probeTarget } from "./probe-target.ts";
import type { Context } from "./status.ts";

interface DueCheck {
  readonly task: Task;
  readonly check: Check;
  readonly spec: HealthCheck;
  readonly index: number;
  readonly atMs: number;
}

/**
 * Makes the checks that are due as far as there is room, those first that are due for longest: so checks that hang delay
 * others, and keep none from being made. O(checks).
 */
export function runDueChecks(context: Context): void {
  const due = dueChecks(context).sort((a, b) => a.atMs - b.atMs);
  for (const { task, check, spec, index } of due) {
    if (!hasRoom(context.state, task, index)) continue;
    const { intervalMs, timeoutMs } = checkPolicy(spec);
    const target = probeTarget(task, spec, context.state.config);
    check.nextAtMs = target ? undefined : context.now.monotonicMs + intervalMs;
    if (!target) continue;
    probesLike(context.state, task, index).add(probeKey(procId(task), index));
    context.effects.push({ type: "probe", id: procId(task), index, target, timeoutMs });
  }
}

function dueChecks({ state, now }: Context): DueCheck[] {
  const due: DueCheck[] = [];
  for (const task of state.tasks.values()) {
    if (task.phase !== "running") continue;
    for (const [index, check] of task.checks.entries()) {
      const { nextAtMs: atMs } = check;
      const spec = task.spec.healthChecks[index];
      if (spec && atMs !== undefined && atMs <= now.monotonicMs) due.push({ task, check, spec, index, atMs });
    }
  }
  return due;
}

/** Whether one more check of that kind may be under way. */
export function hasRoom(state: AgentState, task: Task, index: number): boolean {
  const { config, probesUnderWay } = state;
  const isHelped = takesHelper(task, index);
  const countMax = isHelped ? config.helperProbesMax : config.probesMax;
  return (isHelped ? probesUnderWay.helped : probesUnderWay.own).size < countMax;
}

/** A check is over, whatever has become of its task. */
export function probeEnded({ probesUnderWay }: AgentState, id: string, index: number): void {
  const key = probeKey(id, index);
  probesUnderWay.own.delete(key);
  probesUnderWay.helped.delete(key);
}

function probesLike({ probesUnderWay }: AgentState, task: Task, index: number): Set<string> {
  return takesHelper(task, index) ? probesUnderWay.helped : probesUnderWay.own;
}

function takesHelper(task: Task, index: number): boolean {
  const spec = task.spec.healthChecks[index];
  return spec !== undefined && needsHelper(spec);
}

function probeKey(id: string, index: number): string {
  return `${id}/${index}`;
}

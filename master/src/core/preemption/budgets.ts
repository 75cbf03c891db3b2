import type { MusterError } from "@muster/foundation";
import type { TaskInfo } from "@muster/proto";
import { budgetKey, encodeBudget, type StoredBudget } from "../../registry/budgets.ts";
import type { Core } from "../core.ts";
import type { Input } from "../effects.ts";
import { limits } from "../limits.ts";
import type { Group, MasterState, Task } from "../model.ts";
import { Budget } from "./budget.ts";

/** How many groups of a budget may be missing if nobody says. */
const preemptedMaxDefault = 1;

/** Notes what a new group's tasks say of how important they are, and of when they may be preempted. O(tasks). */
export function describePreemption({ state }: Core, group: Group, tasks: readonly TaskInfo[]): void {
  for (const { priority, preemptedMax } of tasks) {
    if (priority !== undefined) group.priority = Math.max(group.priority ?? 0, priority);
    if (preemptedMax === 0) group.isPreemptible = false;
  }
  group.budget = joinBudget(state, group.framework.id, tasks);
}

/** The budget of a group that is launched or told of, made if it is the first; undefined: it names none. O(tasks). */
function joinBudget(state: MasterState, frameworkId: string, tasks: readonly TaskInfo[]): Budget | undefined {
  const named = tasks.find(({ preemptionBudget = "" }) => preemptionBudget !== "");
  const name = named?.preemptionBudget;
  if (name === undefined) return undefined;
  const max = named?.preemptedMax ?? preemptedMaxDefault;
  const { budgets } = state.preemption;
  const key = Budget.keyOf(frameworkId, name);
  const budget = budgets.get(key) ?? new Budget(frameworkId, name, max);
  budgets.set(key, budget);
  budget.max = max;
  budget.groupCount++;
  return budget;
}

/** A group has ended. */
export function leaveBudget({ preemption }: MasterState, budget: Budget): void {
  budget.groupCount--;
  if (budget.isIdle) preemption.budgets.delete(budget.key);
}

/**
 * How many more of a budget may be preempted now. None of one that has lost none yet, while the registry holds as many
 * budgets as it may.
 */
export function leftOf({ state, nowMs }: Core, budget: Budget): number {
  const { wanting } = state.preemption;
  return wanting.has(budget) || wanting.size < limits.budgetsWanting ? budget.left(nowMs) : 0;
}

/** A task runs: if it is the first of a group that this master launched, one of its budget is missing no more. */
export function countSuccessor(core: Core, { group, launchedAt }: Task): void {
  const { budget } = group;
  group.isSuccessor = false;
  if (budget?.replace(launchedAt)) keepBudget(core, budget, undefined);
}

/**
 * What is missing of a budget goes into the registry, for the next master; nothing does of one that lacks none and
 * never did. O(budgets that lack some).
 */
export function keepBudget(
  core: Core,
  budget: Budget,
  written: ((error: MusterError | undefined) => Input) | undefined,
): void {
  const { epoch, preemption } = core.state;
  const { missingCount, frameworkId, name, max } = budget;
  if (budget.recordId === "") budget.recordId = `${epoch.toString(36)}-${++preemption.recordCount}`;
  const id = budget.recordId;
  const value = missingCount > 0 ? encodeBudget({ id, frameworkId, name, max, missingCount }) : undefined;
  core.effects.push({ type: "store", key: budgetKey(id), value, written });
  if (missingCount > 0) preemption.wanting.add(budget);
  else preemption.wanting.delete(budget);
  if (budget.isIdle) preemption.budgets.delete(budget.key);
  armForgetting(core);
}

/** The registry's entries go when what they tell of does not count any more. O(budgets that lack some). */
export function forgetMissing(core: Core): void {
  const { preemption } = core.state;
  preemption.isForgetting = false;
  for (const budget of preemption.wanting) {
    const before = budget.missingCount;
    budget.forget(core.nowMs);
    if (budget.missingCount < before) keepBudget(core, budget, undefined);
  }
  armForgetting(core);
}

function armForgetting(core: Core): void {
  const { preemption } = core.state;
  if (preemption.isForgetting || preemption.wanting.size === 0) return;
  let overMs = Number.POSITIVE_INFINITY;
  for (const { nextOverMs } of preemption.wanting) overMs = Math.min(overMs, nextOverMs ?? overMs);
  preemption.isForgetting = true;
  core.after(overMs - core.nowMs, { type: "missing-over" });
}

/**
 * What former masters knew of budgets. Their clocks may have been others, so the time for which it counts begins anew;
 * and a group that one of them launched may have been there before the preempted ended, so it is nobody's successor.
 */
export function recallBudgets(core: Core, stored: readonly StoredBudget[]): void {
  const { budgets, wanting } = core.state.preemption;
  for (const { id, frameworkId, name, max, missingCount } of stored) {
    const key = Budget.keyOf(frameworkId, name);
    const known = budgets.get(key);
    if (known) {
      // One of the two was to go when that master ended.
      known.take(core.nowMs, 0, Math.max(0, missingCount - known.missingCount));
      core.effects.push({ type: "store", key: budgetKey(id), value: undefined, written: undefined });
      keepBudget(core, known, undefined);
      continue;
    }
    const budget = new Budget(frameworkId, name, max);
    budget.recordId = id;
    budget.take(core.nowMs, 0, missingCount);
    budgets.set(key, budget);
    wanting.add(budget);
  }
  armForgetting(core);
}

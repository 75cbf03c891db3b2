import type { TaskInfo } from "@muster/proto";
import type { Core } from "../core.ts";
import type { Group, MasterState } from "../model.ts";

/**
 * What was preempted counts as missing until a group of the same budget that was launched later runs; or so long, for
 * whoever has fewer groups than before may never start another.
 */
export const missingMsMax = 300_000;
/** How many groups of a budget may be missing if nobody says. */
const preemptedMaxDefault = 1;

/** Groups of one framework of which only so many may be missing at once for having been preempted. */
export class Budget {
  readonly key: string;
  readonly name: string;
  max: number;
  /** Its groups that have not ended. */
  groupCount = 0;
  /** When those that are missing were preempted: monotonic and since the epoch, oldest first. */
  #missing: { readonly sinceMs: number; readonly at: number }[] = [];

  constructor(key: string, name: string, max: number) {
    this.key = key;
    this.name = name;
    this.max = max;
  }

  /** How many more may be preempted now. */
  left(nowMs: number): number {
    this.#missing = this.#missing.filter(({ sinceMs }) => nowMs - sinceMs < missingMsMax);
    return Math.max(0, this.max - this.#missing.length);
  }

  take(nowMs: number, at: number): void {
    this.#missing.push({ sinceMs: nowMs, at });
  }

  /** A group of it runs for the first time: it takes the place of one that was preempted before its launch. */
  replace(launchedAt: number): void {
    const index = this.#missing.findIndex(({ at }) => at <= launchedAt);
    if (index >= 0) this.#missing.splice(index, 1);
  }

  isIdle(nowMs: number): boolean {
    return this.groupCount === 0 && this.left(nowMs) === this.max;
  }
}

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
  const key = `${frameworkId} ${name}`;
  let budget = budgets.get(key);
  if (budget === undefined) {
    budget = new Budget(key, name, max);
    budgets.set(key, budget);
  }
  budget.max = max;
  budget.groupCount++;
  return budget;
}

/** A group has ended. */
export function leaveBudget(state: MasterState, budget: Budget, nowMs: number): void {
  budget.groupCount--;
  if (budget.isIdle(nowMs)) state.preemption.budgets.delete(budget.key);
}

/** Those of which nothing is left, whose last group ended while another was missing. O(budgets). */
export function forgetIdleBudgets(state: MasterState, nowMs: number): void {
  const { budgets } = state.preemption;
  for (const budget of budgets.values()) if (budget.isIdle(nowMs)) budgets.delete(budget.key);
}

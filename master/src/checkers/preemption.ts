import { isTerminal, preemptionDistance, priorityDefault } from "@muster/foundation";
import type { TaskRecord } from "@muster/proto";
import { type Checker, type Violation, violation } from "./view.ts";

/** What is being preempted is less important than what it makes room for, by the distance, where anybody has said so. */
export const importantStay: Checker = ({ tasks }) =>
  tasks.flatMap(({ taskId, priority, preemptedForRole, preemptedForPriority, status, role }) => {
    if (preemptedForRole === undefined || isTerminal(status?.state ?? 0)) return [];
    const isSaid = priority !== undefined || preemptedForPriority !== undefined;
    const distance = (preemptedForPriority ?? priorityDefault) - (priority ?? priorityDefault);
    if (isSaid ? distance >= preemptionDistance : preemptedForRole !== role) return [];
    const detail = `of priority ${priority ?? "unsaid"} in ${role}, for ${preemptedForPriority ?? "unsaid"} in ${preemptedForRole}`;
    return [violation("preempted-important", taskId, detail)];
  });

/**
 * Of each budget no more groups are being preempted at once than it says, and none that is never to be. Holds while
 * budgets stay as they are: one that is made smaller takes nothing back.
 */
export const budgetsKept: Checker = ({ tasks }) => {
  const launches = new Map<string, { first: TaskRecord; ids: Set<string> }>();
  const violations: Violation[] = [];
  for (const task of tasks) {
    if (task.preemptedForRole === undefined || isTerminal(task.status?.state ?? 0)) continue;
    if (task.preemptedMax === 0) violations.push(violation("preempted-never", task.taskId, "is never to be preempted"));
    if (task.preemptionBudget === undefined) continue;
    const key = `${task.frameworkId} ${task.preemptionBudget}`;
    const known = launches.get(key) ?? { first: task, ids: new Set() };
    launches.set(key, known);
    known.ids.add(task.launchId);
  }
  for (const [key, { first, ids }] of launches)
    if (ids.size > (first.preemptedMax ?? 1))
      violations.push(violation("budget-exceeded", key, `${ids.size} groups at once, of ${first.preemptedMax ?? 1}`));
  return violations;
};

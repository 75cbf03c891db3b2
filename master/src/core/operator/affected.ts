import { isTerminal } from "@muster/foundation";
import type { Affected } from "@muster/proto";
import type { Task } from "../model.ts";

export const nothingAffected: Affected = Object.freeze({ frameworks: [], offerCount: 0 });

/** Living tasks by framework, for people who decide. O(tasks). */
export function affectedBy(tasks: Iterable<Task>, offerCount: number): Affected {
  const counts = new Map<string, { frameworkId: string; name: string; taskCount: number }>();
  for (const { state, group } of tasks) {
    if (isTerminal(state)) continue;
    const { id: frameworkId, name } = group.framework;
    const count = counts.get(frameworkId) ?? { frameworkId, name, taskCount: 0 };
    count.taskCount++;
    counts.set(frameworkId, count);
  }
  const byName = (a: { name: string }, b: { name: string }): number => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0);
  return { frameworks: [...counts.values()].sort(byName), offerCount };
}

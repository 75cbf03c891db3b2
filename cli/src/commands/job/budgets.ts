import { groupBudget, type Job } from "@muster/jobspecs";

/** How many of each group may be missing at once for having been preempted; null: as many as there are. */
export function budgetsJson(job: Job) {
  return job.groups.map((group) => ({
    group: group.name,
    preemptedMax: groupBudget(job, group)?.preemptedMax ?? null,
  }));
}

/** The same in words, where the file says it. */
export function budgetLines(job: Job): string[] {
  return job.groups.flatMap((group) => {
    if (group.migrate === undefined) return [];
    const most = groupBudget(job, group)?.preemptedMax ?? 0;
    return most === 0
      ? `  group ${group.name}: none is preempted for others`
      : `  group ${group.name}: at most ${most} preempted for others at once`;
  });
}

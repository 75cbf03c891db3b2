import type { Affected } from "@muster/proto";

/** "3 tasks (services 2, cron 1), 1 offer": what a decision befalls, for people. */
export function affectedText(affected: Affected | null): string {
  const { frameworks = [], offerCount = 0 } = affected ?? {};
  const tasks = frameworks.reduce((sum, { taskCount }) => sum + taskCount, 0);
  const of = frameworks.map(({ name, taskCount }) => `${name} ${taskCount}`).join(", ");
  const offers = offerCount === 0 ? "" : `, ${plural(offerCount, "offer")}`;
  return `${plural(tasks, "task")}${of === "" ? "" : ` (${of})`}${offers}`;
}

export function plural(count: number, word: string): string {
  return `${count} ${word}${count === 1 ? "" : "s"}`;
}

/** For programs. */
export function affectedJson(affected: Affected | null) {
  return {
    frameworks: (affected?.frameworks ?? []).map(({ frameworkId, name, taskCount }) => ({
      id: frameworkId,
      name,
      tasks: taskCount,
    })),
    offers: affected?.offerCount ?? 0,
  };
}

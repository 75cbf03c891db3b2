import type { PlanGroup } from "@muster/framework-sdk";
import type { TaskGroup } from "@muster/jobspecs";
import { canariesOf } from "./deployments.ts";
import { groupOf, type Instance, type JobEntry, type JobVersionEntry } from "./model.ts";
import type { Surroundings } from "./report.ts";
import { slotsOf } from "./slots.ts";

/** What a run would do to each group. O(instances of the job). */
export function planGroups(
  base: JobEntry | undefined,
  future: JobEntry,
  instances: ReadonlyMap<string, readonly Instance[]>,
  around: Surroundings,
): PlanGroup[] {
  const { current } = future;
  const made = current.job.groups.map((group) => {
    const before = base && groupOf(base.current, group.name);
    const own = base ? (instances.get(group.name) ?? []).filter(({ isKilling }) => !isKilling) : [];
    const slots = slotsOf(future, group, around.agents, own);
    const wanted = new Set(slots.map(({ index }) => index));
    const filled = new Set(own.flatMap(({ index }) => (wanted.has(index) ? index : [])));
    const destroyCount = own.filter(({ index }) => !wanted.has(index)).length;
    const isSame = base?.current.templates.get(group.name) === current.templates.get(group.name);
    const isEqual = isSame && JSON.stringify(before) === JSON.stringify(group);
    return {
      group: group.name,
      createCount: slots.length - filled.size,
      destroyCount,
      replaceCount: isSame ? 0 : filled.size,
      updateCount: isSame && !isEqual ? filled.size : 0,
      keepCount: isEqual ? filled.size : 0,
      forecast: isSame || filled.size === 0 ? "" : forecastOf(group, filled.size, current),
    };
  });
  const gone = [...instances].filter(([name, own]) => base && own.length > 0 && groupOf(current, name) === undefined);
  const ends = gone.map(([group, own]) => ({
    group,
    createCount: 0,
    destroyCount: own.filter(({ isKilling }) => !isKilling).length,
    replaceCount: 0,
    updateCount: 0,
    keepCount: 0,
    forecast: "",
  }));
  return [...made, ...ends];
}

/** How the instances of a group would be replaced. */
function forecastOf(group: TaskGroup, count: number, { job }: JobVersionEntry): string {
  const { method, autoPromote, minHealthyTimeMs, autoRevert, progressDeadlineMs } = group.update;
  const seconds = (ms: number): string => `${Math.round(ms / 1_000)} s`;
  const parts: string[] = [];
  const canaryCount = canariesOf(group, count);
  if (canaryCount > 0)
    parts.push(
      `${canaryCount} canaries first${job.type === "system" ? ", in the place of what runs there" : ""}, then ${autoPromote ? "it goes on by itself" : "it waits for job promote"}`,
    );
  let step = count;
  if (method.kind === "batch") {
    step = Math.min(count, method.maxParallel || count);
    parts.push(`${step} at a time`);
  } else {
    const surge = Math.ceil((count * method.surgePercent) / 100);
    const healthyMin = Math.ceil((group.count * method.minHealthyPercent) / 100);
    step = Math.max(1, surge, count - healthyMin);
    parts.push(`at least ${healthyMin} healthy and at most ${group.count + surge} at once`);
  }
  const steps = Math.ceil(count / Math.max(1, step));
  parts.push(`each healthy for ${seconds(minHealthyTimeMs)}, so at least ${seconds(steps * minHealthyTimeMs)} in all`);
  if (autoRevert && progressDeadlineMs > 0)
    parts.push(`taken back after ${seconds(progressDeadlineMs)} without progress`);
  return parts.join("; ");
}

import type { TaskGroup } from "@muster/jobspecs";
import type { Instance, JobEntry, Now, TaskView } from "./model.ts";
import type { JobPlan } from "./rollout.ts";

/**
 * Of the instances of one group, on whatever agents, at most this part is ended for failing checks within one interval of
 * these, and at least one may be. What they all depend on fails for all at once, and ending all would only add to it.
 */
const healthKillsFraction = 0.25;

/**
 * Lets agents end tasks that have failed their checks, those first that have for longest. What was let and is not heard
 * of for an interval is said again, and counts again. O(instances), plus a sort of those that fail.
 */
export function allowHealthKills(
  entry: JobEntry,
  group: TaskGroup,
  instances: readonly Instance[],
  { monotonicMs }: Now,
  plan: Pick<JobPlan, "healthKills" | "wakeAtMs">,
): void {
  const asking = instances.flatMap(({ tasks }) => {
    const first = [...tasks.values()].find(({ killAsked }) => killAsked !== undefined);
    return first?.killAsked ? [{ view: first, asked: first.killAsked }] : [];
  });
  if (asking.length === 0) return;
  const intervalMs = askIntervalMs(group);
  const countMax = healthKillsMax(instances.length);
  // How many were ended before this process is not known: as many as may be.
  const before =
    entry.healthKills.get(group.name) ?? (entry.isNew ? [] : Array(countMax).fill(monotonicMs + intervalMs));
  const counting = before.filter((untilMs) => untilMs > monotonicMs);
  asking.sort((a, b) => a.asked.sinceMs - b.asked.sinceMs);
  for (const { view, asked } of asking) {
    const isUnderWay = asked.toldMs !== undefined && monotonicMs - asked.toldMs < intervalMs;
    if (isUnderWay || counting.length >= countMax) continue;
    counting.push(monotonicMs + intervalMs);
    asked.toldMs = monotonicMs;
    plan.healthKills.push(view);
  }
  entry.healthKills.set(group.name, counting);
  const nextMs = Math.min(...counting);
  if (plan.wakeAtMs === undefined || nextMs < plan.wakeAtMs) plan.wakeAtMs = nextMs;
}

/** Instances that are kept although their checks say that they are to be ended, for people. O(instances of the job). */
export function keptMessages({ current, instances }: JobEntry): string[] {
  return current.job.groups.flatMap((group) => {
    const own = [...instances.values()].filter((one) => one.group === group.name && !one.isKilling);
    const waits = ({ killAsked }: TaskView): boolean => killAsked !== undefined && killAsked.toldMs === undefined;
    const count = own.filter(({ tasks }) => [...tasks.values()].some(waits)).length;
    if (count === 0) return [];
    const who = count === 1 ? "1 instance fails its checks and is" : `${count} instances fail their checks and are`;
    const bound = `at most ${healthKillsMax(own.length)} of ${own.length} within ${askIntervalMs(group) / 1_000} s`;
    return [`group ${group.name}: ${who} ended later: ${bound}`];
  });
}

function healthKillsMax(livingCount: number): number {
  return Math.max(1, Math.floor(livingCount * healthKillsFraction));
}

/** The longest time between two checks of which one may end its task. */
function askIntervalMs({ services, tasks }: TaskGroup): number {
  const all = [services, ...tasks.map((task) => task.services)].flat().flatMap(({ checks }) => checks);
  return Math.max(1_000, ...all.flatMap((check) => ((check.checkRestart?.limit ?? 0) > 0 ? check.intervalMs : [])));
}

import type { ClusterAgent } from "@muster/framework-sdk";
import { stopsAfter } from "./dependencies.ts";
import { awaitsPromotion, isHeld } from "./deployments.ts";
import { GroupPlanner } from "./group-planner.ts";
import { allowHealthKills } from "./health-kills.ts";
import type { Instance, JobEntry, KeptVolume, Now, ServicesState, TaskView, Want } from "./model.ts";
import { lacksTask } from "./statuses.ts";

/** What is to be done for one job now. */
export interface JobPlan {
  readonly kills: Instance[];
  /** Instances of which a task has ended by itself: what is left ends too, and their slots wait until it has. */
  readonly ends: Instance[];
  /** Tasks whose agents may end them for their failing checks now. */
  readonly healthKills: TaskView[];
  readonly wants: Want[];
  /** Volumes that were never made, on agents that don't take their instances: to be given up. */
  readonly released: KeptVolume[];
  /** Volumes that somebody has removed: to be forgotten. */
  readonly vanished: KeptVolume[];
  /** To be looked at again at that moment (`monotonicMs`) even if nothing happens; undefined: no need. */
  wakeAtMs: number | undefined;
  /** How many slots are. */
  settledCount: number;
  /** Every slot is filled by a settled instance of the current version. */
  isStable: boolean;
  /** Of the canaries that come first: how many are wanted, and how many have proved themselves. */
  canariesWanted: number;
  canariesSettled: number;
  /** All groups whose canaries come first go on by themselves once these have proved themselves. */
  promotesItself: boolean;
  /** A group waits for other jobs, and so does the time that an update has. */
  isHeldBack: boolean;
}

/** Compares what a job should be with what it is. O(instances of the job). */
export function planJob(
  state: ServicesState,
  entry: JobEntry,
  now: Now,
  agents: ReadonlyMap<string, ClusterAgent>,
): JobPlan {
  const plan: JobPlan = {
    kills: [],
    ends: [],
    healthKills: [],
    wants: [],
    released: [],
    vanished: [],
    wakeAtMs: undefined,
    settledCount: 0,
    isStable: !entry.isStopped,
    canariesWanted: 0,
    canariesSettled: 0,
    promotesItself: true,
    isHeldBack: false,
  };
  if (stopsAfter(state, entry).length > 0) return plan;
  const byGroup = new Map<string, Instance[]>();
  for (const instance of entry.instances.values()) {
    if (instance.isKilling) continue;
    if (!instance.isEnding && isIncomplete(state, instance)) plan.ends.push(instance);
    const list = byGroup.get(instance.group);
    if (list) list.push(instance);
    else byGroup.set(instance.group, [instance]);
  }
  for (const group of entry.current.job.groups) {
    if (state.isReconciled || entry.isNew) allowHealthKills(entry, group, byGroup.get(group.name) ?? [], now, plan);
    new GroupPlanner(state, entry, group, byGroup.get(group.name) ?? [], now, agents, plan).run();
    byGroup.delete(group.name);
  }
  for (const instances of byGroup.values()) plan.kills.push(...instances);
  entry.canaries = { wanted: plan.canariesWanted, settled: plan.canariesSettled };
  watchProgress(state, entry, plan, now);
  return plan;
}

/** An update that comes no further for as long as it may has failed. A version that was healthy once is no update. */
function watchProgress(state: ServicesState, entry: JobEntry, plan: JobPlan, now: Now): void {
  const { record, job } = entry.current;
  const deadlines = job.groups.map((group) => group.update.progressDeadlineMs).filter((ms) => ms > 0);
  const isKnown = state.isReconciled || entry.isNew;
  if (!entry.isStopped && !record.stable && isKnown && hasFailedOnce(entry)) {
    entry.isOverdue = true;
    return;
  }
  if (entry.isStopped || record.stable || plan.isStable) {
    entry.isOverdue = false;
    return;
  }
  if (!isKnown || deadlines.length === 0) return;
  if (isHeld(entry.current) || awaitsPromotion(entry) || plan.isHeldBack) {
    // It is people that it waits for, or other jobs.
    entry.progress = undefined;
    return;
  }
  const { progress } = entry;
  if (progress === undefined || plan.settledCount > progress.settledCount)
    entry.progress = { settledCount: plan.settledCount, sinceMs: now.monotonicMs };
  const endsAtMs = (entry.progress?.sinceMs ?? 0) + Math.min(...deadlines);
  if (now.monotonicMs >= endsAtMs) entry.isOverdue = true;
  else if (plan.wakeAtMs === undefined || endsAtMs < plan.wakeAtMs) plan.wakeAtMs = endsAtMs;
}

/** Of a group that has no time to come further in: an instance of the current version has failed. */
function hasFailedOnce({ current, restarts }: JobEntry): boolean {
  return current.job.groups.some(({ name, update }) => {
    if (update.progressDeadlineMs > 0) return false;
    for (const [key, { failureCount, version }] of restarts)
      if (key.startsWith(`${name}/`) && version === current.record.version && failureCount > 0) return true;
    return false;
  });
}

/** One of its tasks has ended, also if that was before this process: what is left of it is of no use. */
function isIncomplete(state: ServicesState, instance: Instance): boolean {
  return instance.endedBy !== undefined || (state.isReconciled && lacksTask(instance));
}

import { type Deployment, type DeploymentGroup, DeploymentState } from "@muster/framework-sdk";
import type { TaskGroup } from "@muster/jobspecs";
import {
  type DeploymentRecord,
  groupOf,
  type Instance,
  isCurrent,
  type JobEntry,
  type JobVersionEntry,
  type Now,
  type VersionRecord,
  versionOf,
} from "./model.ts";

/** A version that nobody has said anything of is on its way until it is healthy as a whole. */
export function deploymentOf(record: VersionRecord): DeploymentRecord {
  return (
    record.deployment ?? { status: record.stable ? "successful" : "running", reason: "", promoted: [], endedAt: 0 }
  );
}

/** Takes no further step. */
export function isHeld({ record }: JobVersionEntry): boolean {
  const { status } = deploymentOf(record);
  return !record.stable && (status === "paused" || status === "cancelled");
}

/**
 * The version whose instances serve while the canaries of a group prove themselves: the last that was healthy as a
 * whole, or else the one that was there when this one came. Undefined: none come first, since the group has none, is
 * promoted, or nothing runs that they could be compared with. O(versions).
 */
export function canaryBase(entry: JobEntry, group: TaskGroup): JobVersionEntry | undefined {
  const { record, templates } = entry.current;
  const { canaryCount, canaryPercent = 0 } = group.update;
  if (canaryCount + canaryPercent === 0 || record.stable || record.cause === "revert" || entry.isStopped)
    return undefined;
  if (deploymentOf(record).promoted.includes(group.name)) return undefined;
  const base = lastStable(entry) ?? (record.triesFrom === undefined ? undefined : versionOf(entry, record.triesFrom));
  const template = base?.templates.get(group.name);
  return template === undefined || template === templates.get(group.name) ? undefined : base;
}

/** How many canaries come first where a group has so many places. */
export function canariesOf({ update }: TaskGroup, placeCount: number): number {
  const { canaryCount, canaryPercent = 0, method } = update;
  if (canaryPercent === 0) return Math.min(canaryCount, placeCount);
  // On each agent the old one ends for the new: no more of them at once than of any other update.
  const most = method.kind === "batch" && method.maxParallel > 0 ? method.maxParallel : placeCount;
  return Math.min(Math.ceil((placeCount * canaryPercent) / 100), most);
}

/** Since the job was stopped last. */
function lastStable({ history }: JobEntry): JobVersionEntry | undefined {
  for (const older of history) {
    if (older.record.cause === "stop") return undefined;
    if (older.record.stable) return older;
  }
  return undefined;
}

/**
 * Of the next version: which one's instances its canaries stand beside if none was healthy as a whole yet. That of which
 * there are instances, or may be; while canaries of the present one are tried, the one that serves beside them.
 */
export function servingBefore(present: JobEntry, isReconciled: boolean): number | undefined {
  const { record } = present.current;
  if (present.isStopped || record.cause === "stop") return undefined;
  const isAnyThere = [...present.instances.values()].some(({ isKilling }) => !isKilling);
  if (!isAnyThere && (isReconciled || present.isNew)) return undefined;
  return deploymentOf(record).promoted.length > 0 ? record.version : (record.triesFrom ?? record.version);
}

/** Whether an instance is as a version wants it. */
export function isMadeLike(entry: JobEntry, instance: Instance, version: JobVersionEntry): boolean {
  const wanted = version.templates.get(instance.group);
  return wanted !== undefined && versionOf(entry, instance.version)?.templates.get(instance.group) === wanted;
}

/** The version under whose terms an instance is tried again; undefined: it is not, its time is over. */
export function versionServing(entry: JobEntry, instance: Instance): JobVersionEntry | undefined {
  if (isCurrent(entry, instance)) return entry.current;
  const group = groupOf(entry.current, instance.group);
  const base = group && canaryBase(entry, group);
  return base && isMadeLike(entry, instance, base) ? base : undefined;
}

/** Groups of a new version that need not be promoted again, since they are as they were when they were promoted. */
export function stillPromoted(present: JobVersionEntry, templates: ReadonlyMap<string, string>): string[] {
  return deploymentOf(present.record).promoted.filter((name) => present.templates.get(name) === templates.get(name));
}

/** The current version is healthy as a whole, or came no further in its time. True: that is to be kept. */
export function noteEnd(entry: JobEntry, isStable: boolean, now: Now): boolean {
  const { record } = entry.current;
  const present = deploymentOf(record);
  if (isStable && !record.stable) {
    record.stable = true;
    record.deployment = { ...present, status: "successful", reason: "", endedAt: now.epochMs };
    return true;
  }
  if (!entry.isOverdue || present.status !== "running") return false;
  const isStuck = entry.current.job.groups.every(({ update }) => update.progressDeadlineMs > 0);
  const reason = isStuck ? "it made no progress for as long as it may take" : "an instance has failed";
  record.deployment = { ...present, status: "failed", reason, endedAt: now.epochMs };
  return true;
}

const states = {
  running: DeploymentState.DEPLOYMENT_STATE_RUNNING,
  paused: DeploymentState.DEPLOYMENT_STATE_PAUSED,
  failed: DeploymentState.DEPLOYMENT_STATE_FAILED,
  cancelled: DeploymentState.DEPLOYMENT_STATE_CANCELLED,
  successful: DeploymentState.DEPLOYMENT_STATE_SUCCESSFUL,
} as const;

/** One version's roll-out, for people. Null: a stop has none. O(instances of the job). */
export function describeDeployment(entry: JobEntry, version: JobVersionEntry): Deployment | null {
  const { record } = version;
  if (record.cause === "stop") return null;
  const isNow = version === entry.current;
  const { status, reason, endedAt } = deploymentOf(record);
  const awaits = isNow && status === "running" && awaitsPromotion(entry);
  return {
    job: entry.name,
    version: record.version,
    state: awaits ? DeploymentState.DEPLOYMENT_STATE_AWAITING_PROMOTION : states[status],
    reason: reason || (awaits ? "its canaries are healthy: promote it, or cancel it" : ""),
    startedAt: record.submittedAt,
    endedAt,
    groups: isNow ? version.job.groups.map((group) => describeGroup(entry, group)) : [],
  };
}

/** All canaries of a job have proved themselves, and nobody has promoted them. */
export function awaitsPromotion({ canaries }: JobEntry): boolean {
  return canaries.wanted > 0 && canaries.settled >= canaries.wanted;
}

function describeGroup(entry: JobEntry, group: TaskGroup): DeploymentGroup {
  const base = canaryBase(entry, group);
  const desired = entry.current.job.type === "system" ? placesOf(entry, group) : group.count;
  const made: DeploymentGroup = {
    group: group.name,
    desired,
    healthy: 0,
    outdated: 0,
    canaries: base ? canariesOf(group, desired) : 0,
    promoted: deploymentOf(entry.current.record).promoted.includes(group.name),
  };
  for (const instance of entry.instances.values()) {
    if (instance.group !== group.name || instance.isKilling) continue;
    if (!isCurrent(entry, instance)) made.outdated++;
    else if (instance.healthySinceMs !== undefined) made.healthy++;
  }
  return made;
}

/** Of a system job: on how many agents there is something of a group. */
function placesOf({ instances }: JobEntry, { name }: TaskGroup): number {
  const own = [...instances.values()].filter(({ group, isKilling }) => group === name && !isKilling);
  return new Set(own.map(({ index }) => index)).size;
}

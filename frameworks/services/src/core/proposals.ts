import { invalid, type JobSubmission, MusterError, randomText, type StateWrite } from "@muster/framework-sdk";
import { canonicalJson, type Job } from "@muster/jobspecs";
import { deploymentOf, servingBefore, stillPromoted } from "./deployments.ts";
import { freshEntry } from "./fresh.ts";
import {
  type DeploymentRecord,
  type JobEntry,
  type JobVersionEntry,
  type Now,
  type ServicesState,
  servingMark,
  type VersionCause,
  type VersionRecord,
} from "./model.ts";
import { jobWrite, registerJob, versionKey, versionWrite } from "./records.ts";
import { filesTokenLength, isMigrating } from "./sticky.ts";
import { checkJob, definitionBytesMax, readJob, versionEntry, versionsMax, withCount } from "./versions.ts";
import { releaseVolumes } from "./volumes.ts";

/** Versions that one change forgets at most. */
const forgottenMax = 50;

/** A change of a job, decided but not yet durable. */
export interface Proposal {
  readonly name: string;
  readonly isStopped: boolean;
  readonly isPurged: boolean;
  /** Volumes of versions up to this one are given up. */
  readonly wipedVersion: number;
  readonly current: JobVersionEntry;
  readonly writes: readonly StateWrite[];
  /** What becomes of the deployment that it overtakes, if one goes on. */
  readonly overtaken: DeploymentRecord | undefined;
  /** Versions that go with it. */
  readonly forgotten: readonly JobVersionEntry[];
}

/** The job of a submission, checked in full. Throws `invalid`, `unsupported`. */
export function readSubmission(
  submission: JobSubmission | null,
  roles: readonly string[],
): { job: Job; definition: string } {
  if (!submission) throw invalid("job", "must be given");
  const job = readJob(submission.definition.toString());
  if (submission.name !== "" && submission.name !== job.id)
    throw invalid("job.name", `is "${submission.name}", but the definition is of "${job.id}"`);
  if (submission.type !== "" && submission.type !== job.type)
    throw invalid("job.type", `is "${submission.type}", but the definition says "${job.type}"`);
  if (submission.role !== "" && submission.role !== job.role)
    throw invalid("job.role", `is "${submission.role}", but the definition says "${job.role}"`);
  if (Buffer.byteLength(job.id) > 200) throw invalid("job.name", "must have at most 200 bytes");
  const definition = canonicalJson(job);
  const bytes = Buffer.byteLength(definition) + Buffer.byteLength(submission.source);
  if (bytes > definitionBytesMax)
    throw invalid("job.definition", `has ${bytes} bytes with its source, at most ${definitionBytesMax} can be kept`);
  checkJob(job, roles);
  return { job, definition };
}

/** Refuses if the job is not at the version that the caller has seen. Throws `stale`. */
export function checkVersion(present: JobEntry | undefined, wanted: number | undefined): void {
  if (wanted === undefined) return;
  const version = present?.current.record.version ?? 0;
  if (version === wanted) return;
  const what = version === 0 ? "it does not exist" : `it is at version ${version}`;
  throw new MusterError("stale", `the job has changed: ${what}, not ${wanted}; plan again`, {
    field: "job.check_version",
  });
}

/** A new version. */
export function proposeVersion(
  state: ServicesState,
  name: string,
  made: { readonly job: Job; readonly definition: string; readonly source: string; readonly cause: VersionCause },
  now: Now,
  ends: { readonly isStopped?: boolean; readonly isPurged?: boolean; readonly isWiped?: boolean } = {},
): Proposal {
  const present = state.jobs.get(name);
  const version = (present?.current.record.version ?? 0) + 1;
  const { definition, source, cause } = made;
  const triesFrom = present && servingBefore(present, state.isReconciled);
  const record: VersionRecord = {
    ...{ version, submittedAt: now.epochMs, cause, definition, source, stable: false },
    ...(triesFrom === undefined ? {} : { triesFrom }),
    ...(made.job.groups.some(isMigrating) ? { filesToken: randomText(state.secrets, filesTokenLength) } : {}),
  };
  const isStopped = ends.isStopped ?? false;
  const isPurged = ends.isPurged ?? false;
  const wipedVersion = isPurged || ends.isWiped === true ? version : (present?.wipedVersion ?? 0);
  const forgotten = present && state.isReconciled ? outlived(present) : [];
  const current = versionEntry(record, made.job);
  const promoted = present ? stillPromoted(present.current, current.templates) : [];
  if (promoted.length > 0) record.deployment = { ...deploymentOf(record), promoted };
  const overtaken = present && overtakenBy(present.current.record, version, now);
  return {
    name,
    isStopped,
    isPurged,
    wipedVersion,
    current,
    overtaken,
    forgotten,
    writes: [
      jobWrite(name, present?.stateVersion ?? 0, { version, isStopped, isPurged, wipedVersion }),
      versionWrite(name, record),
      ...(present && overtaken ? [versionWrite(name, { ...present.current.record, deployment: overtaken })] : []),
      ...forgotten.map((one) => ({ key: versionKey(name, one.record.version), delete: true }) as const),
    ],
  };
}

/** A deployment that goes on ends with the next version. */
function overtakenBy(record: VersionRecord, version: number, now: Now): DeploymentRecord | undefined {
  const present = deploymentOf(record);
  if (present.endedAt > 0 || record.stable || record.cause === "stop") return undefined;
  return { ...present, status: "cancelled", reason: `overtaken by version ${version}`, endedAt: now.epochMs };
}

/** The same job with another count of one group. Throws `invalid`, `not-found`. */
export function scaledJob(
  entry: JobEntry,
  groupName: string,
  count: number,
): { job: Job; before: number; group: string } {
  const { job } = entry.current;
  const group =
    groupName === "" && job.groups.length === 1 ? job.groups[0] : job.groups.find((one) => one.name === groupName);
  if (group === undefined) {
    const names = job.groups.map((one) => one.name).join(", ");
    if (groupName === "") throw invalid("group", `must name one of the job's groups: ${names}`);
    throw new MusterError("not-found", `job ${entry.name} has no group "${groupName}", only ${names}`, {
      field: "group",
    });
  }
  const scaled = withCount(job, group.name, count);
  if (scaled === undefined) throw invalid("group", "must name a group");
  return { job: scaled, before: group.count, group: group.name };
}

/**
 * Versions that are neither wanted for the history nor by an instance, as many as one write takes. To be asked only
 * when all instances are known: one that turns up later would else look out of date, and be replaced for nothing.
 */
function outlived(present: JobEntry): JobVersionEntry[] {
  const used = new Set([...present.instances.values()].map(({ version }) => version));
  const unused = present.history.slice(versionsMax - 1).filter(({ record }) => !used.has(record.version));
  return unused.slice(-forgottenMax);
}

/**
 * The version that an update without progress goes back to: the last one that was healthy as a whole. None, if that is
 * made of the same, or if going back is what makes no progress.
 */
export function lastGood(entry: JobEntry): JobVersionEntry | undefined {
  return entry.current.job.groups.some((group) => group.update.autoRevert) ? goodBefore(entry) : undefined;
}

/** The last version that was healthy as a whole, if the present one is on its way to something else. */
export function goodBefore(entry: JobEntry): JobVersionEntry | undefined {
  const { record, templates } = entry.current;
  if (entry.isStopped || record.stable || record.cause === "revert") return undefined;
  const good = entry.history.find((one) => one.record.stable);
  if (good === undefined) return undefined;
  const isSame = [...templates].every(([group, template]) => good.templates.get(group) === template);
  return isSame && good.templates.size === templates.size ? undefined : good;
}

/** The change is durable: it holds from now on. */
export function commit(state: ServicesState, proposal: Proposal, stateVersion: number, now: Now): JobEntry {
  const { name, current, isStopped, isPurged, wipedVersion } = proposal;
  let entry = state.jobs.get(name);
  if (entry === undefined) {
    entry = freshEntry({ name, stateVersion, isStopped, isPurged, current, history: [], isNew: true, wipedVersion });
    state.jobs.set(name, entry);
  } else {
    const before = entry.current;
    entry.history = [before, ...entry.history].filter((one) => !proposal.forgotten.includes(one));
    entry.current = current;
    entry.stateVersion = stateVersion;
    // What was stopped begins anew.
    if (entry.isStopped) entry.predecessors.clear();
    entry.isStopped = isStopped;
    entry.isPurged = isPurged;
    if (wipedVersion > entry.wipedVersion) {
      entry.wipedVersion = wipedVersion;
      releaseVolumes(state, entry, [...entry.volumes.values()].flat(), now, false);
    }
    entry.progress = undefined;
    entry.canaries = { wanted: 0, settled: 0 };
    entry.isOverdue = false;
    if (proposal.overtaken) before.record.deployment = proposal.overtaken;
    for (const key of [...entry.restarts.keys()]) {
      const group = key.slice(0, key.lastIndexOf("/"));
      if (current.templates.get(group) !== before.templates.get(group) || isStopped || group.endsWith(servingMark))
        entry.restarts.delete(key);
    }
    // Where instances are to be follows from the new version.
    for (const instance of entry.instances.values()) instance.move = undefined;
    entry.waiting.clear();
    entry.offersSeen = undefined;
    state.restartsChanged.add(name);
  }
  registerJob(state, entry);
  state.dirty.add(name);
  return entry;
}

import type { StateRecord, StateWrite } from "@muster/framework-sdk";
import { jobsNeeded } from "@muster/jobspecs";
import { noteNeeds, waitingFor } from "./dependencies.ts";
import { freshEntry } from "./fresh.ts";
import { idPrefix } from "./ids.ts";
import type { JobEntry, Now, Predecessor, RestartState, ServicesState, VersionRecord, VolumeRecord } from "./model.ts";
import { freshRestarts } from "./restarts.ts";
import { versionEntry } from "./versions.ts";
import { addVolumes } from "./volumes.ts";

/** What State holds of a job beside its versions. */
interface JobRecord {
  readonly name: string;
  /** Its current version. */
  readonly version: number;
  readonly isStopped: boolean;
  readonly isPurged: boolean;
  /** Volumes of versions up to this one were given up. Absent: none. */
  readonly wipedVersion?: number;
}

type VolumeEntry = VolumeRecord & { readonly isReleased: boolean };

interface RestartsRecord {
  readonly name: string;
  /** Absent: none. */
  readonly predecessors?: Readonly<Record<string, Predecessor>>;
  readonly restarts: Readonly<Record<string, RestartState>>;
}

export const jobsPrefix = "jobs/";
export const versionsPrefix = "versions/";
export const restartsPrefix = "restarts/";
export const volumesPrefix = "volumes/";
export const epochKey = "epoch";

/** Slots whose restarts are kept of one job: more have no need to outlive a restart of the framework. */
const restartsKeptMax = 500;

export function jobKey(name: string): string {
  return `${jobsPrefix}${name}`;
}

/** Versions are in order by their keys. */
export function versionKey(name: string, version: number): string {
  return `${versionsPrefix}${name}/${version.toString(36).padStart(9, "0")}`;
}

export function restartsKey(name: string): string {
  return `${restartsPrefix}${name}`;
}

export function jobWrite(name: string, stateVersion: number, record: Omit<JobRecord, "name">): StateWrite {
  return { key: jobKey(name), version: stateVersion, put: encode({ name, ...record }) };
}

export function versionWrite(name: string, record: VersionRecord): StateWrite {
  return { key: versionKey(name, record.version), put: encode({ name, ...record }) };
}

export function volumeKey({ volumeId }: VolumeRecord): string {
  return `${volumesPrefix}${volumeId}`;
}

export function volumeWrite(record: VolumeRecord, isReleased: boolean): StateWrite {
  return { key: volumeKey(record), put: encode({ ...record, isReleased } satisfies VolumeEntry) };
}

export function restartsWrite(entry: JobEntry): StateWrite {
  const restarts: Record<string, RestartState> = {};
  let count = 0;
  for (const [key, state] of entry.restarts) {
    if (++count > restartsKeptMax) break;
    restarts[key] = { ...state, failedAt: state.failedAt.slice(-16), lastEnd: state.lastEnd.slice(0, 200) };
  }
  const predecessors = Object.fromEntries([...entry.predecessors].slice(0, restartsKeptMax));
  return {
    key: restartsKey(entry.name),
    put: encode({ name: entry.name, restarts, predecessors } satisfies RestartsRecord),
  };
}

/**
 * Fills an empty state from what State holds of jobs, versions, restarts and volumes, in that order. A record that can't be read is not dropped: its name and the reason come
 * back, and the framework must not start as if it had never been.
 */
export function loadRecords(
  state: ServicesState,
  [jobs = [], versions = [], restarts = [], volumes = []]: readonly (readonly StateRecord[])[],
  now: Now,
): { key: string; reason: string }[] {
  const faults: { key: string; reason: string }[] = [];
  const attempt = (record: StateRecord, read: () => void): void => {
    try {
      read();
    } catch (error) {
      faults.push({ key: record.key, reason: error instanceof Error ? error.message : String(error) });
    }
  };
  const byJob = new Map<string, VersionRecord[]>();
  for (const record of versions)
    attempt(record, () => {
      const { name, ...version } = decode<VersionRecord & { name: string }>(record);
      const list = byJob.get(name);
      if (list) list.push(version);
      else byJob.set(name, [version]);
    });
  for (const record of jobs) attempt(record, () => loadJob(state, record, byJob));
  for (const record of restarts)
    attempt(record, () => {
      const { name, restarts: kept, predecessors = {} } = decode<RestartsRecord>(record);
      const entry = state.jobs.get(name);
      for (const [key, one] of Object.entries(predecessors)) entry?.predecessors.set(key, one);
      if (entry)
        for (const [key, one] of Object.entries(kept))
          entry.restarts.set(key, { ...freshRestarts(one.version), ...one });
    });
  for (const record of volumes) attempt(record, () => loadVolume(state, record, now));
  return faults;
}

/** A volume of a job that is no more, or was wiped since, is still to be removed. */
function loadVolume(state: ServicesState, kept: StateRecord, { monotonicMs }: Now): void {
  const { isReleased, ...record } = decode<VolumeEntry>(kept);
  const entry = state.jobs.get(record.job);
  if (entry === undefined || isReleased || record.version <= entry.wipedVersion)
    state.released.set(record.volumeId, { record, releasedMs: monotonicMs, isMarked: isReleased });
  else addVolumes(entry, [{ record, isKept: true, isMade: true, plannedMs: monotonicMs }]);
}

function loadJob(state: ServicesState, record: StateRecord, byJob: ReadonlyMap<string, VersionRecord[]>): void {
  const { name, version, isStopped, isPurged, wipedVersion = 0 } = decode<JobRecord>(record);
  const entries = (byJob.get(name) ?? []).sort((a, b) => b.version - a.version).map((one) => versionEntry(one));
  const current = entries.find((one) => one.record.version === version);
  if (current === undefined) throw new Error(`version ${version} of job ${name} is missing`);
  const history = entries.filter((one) => one !== current && one.record.version < version);
  const kept = { name, stateVersion: record.version, isStopped, isPurged, current, history, wipedVersion };
  const entry = freshEntry({ ...kept, isNew: false });
  state.jobs.set(name, entry);
  registerJob(state, entry);
  state.dirty.add(name);
}

/** Task ids of all groups that a job has or had lead to it, and jobs that it needs know of it. */
export function registerJob(state: ServicesState, entry: JobEntry): void {
  noteNeeds(state, entry.name, jobsNeeded(entry.current.job));
  for (const { job } of [entry.current, ...entry.history])
    for (const group of job.groups)
      state.prefixes.set(idPrefix(job.id, group.name), { jobName: entry.name, group: group.name });
}

/** A job that is no more. */
export function forgetJob(state: ServicesState, name: string): void {
  for (const other of waitingFor(state, name)) state.dirty.add(other);
  noteNeeds(state, name, []);
  state.jobs.delete(name);
  state.dirty.delete(name);
  state.restartsChanged.delete(name);
  for (const [prefix, ref] of state.prefixes) if (ref.jobName === name) state.prefixes.delete(prefix);
}

function encode(value: unknown): Buffer {
  return Buffer.from(JSON.stringify(value));
}

function decode<T>(record: StateRecord): T {
  const value: unknown = JSON.parse(record.value.toString());
  if (typeof value !== "object" || value === null) throw new Error("is no record");
  return value as T;
}

import { MusterError } from "@muster/framework-sdk";
import { decodeJob, dispatchedJob, type Job } from "@muster/jobspecs";
import { type InstancesRecord, instancesRecord, readInstances } from "./instance-records.ts";
import {
  type Coverage,
  type Dispatch,
  hasEnded,
  isOver,
  type JobEntry,
  type Run,
  type RunCounts,
  type Version,
  type Write,
} from "./model.ts";
import { createTimetable, type Timetable } from "./schedule/timetable.ts";

/** Form of the records below; others are not read. */
const recordSchema = 1;

const jobPrefix = "jobs/";
const runsPrefix = "runs/";
const versionPrefix = "versions/";

interface JobRecord {
  readonly schema: typeof recordSchema;
  readonly version: number;
  readonly isStopped: boolean;
  readonly isPurged: boolean;
  readonly anchorAt: number;
}

interface RunsRecord {
  readonly schema: typeof recordSchema;
  readonly cursorAt: number;
  readonly manualCount: number;
  readonly failuresInRow?: number;
  readonly isPaused?: boolean;
  readonly counts: RunCounts;
  readonly runs: readonly (Omit<Run, "instances" | "coverage"> & InstancesRecord)[];
}

interface VersionRecord {
  readonly schema: typeof recordSchema;
  readonly version: number;
  readonly submittedAt: number;
  readonly definition: string;
  readonly source: string;
  readonly dispatch?: Dispatch;
}

/** One entry of State. */
export interface StoredRecord {
  readonly key: string;
  readonly value: string;
  readonly version: number;
}

/** The timetable of a job, if it is due at all. Throws `invalid`. */
export function timetableOf(job: Job, anchorAt: number): Timetable | undefined {
  return job.schedule?.enabled ? createTimetable(job.schedule, anchorAt) : undefined;
}

/** A job of which nothing is in State yet. */
export function newEntry(current: Version): JobEntry {
  return {
    id: current.job.id,
    current,
    versions: new Map([[current.version, current]]),
    isStopped: false,
    isPurged: false,
    isGone: false,
    anchorAt: current.submittedAt,
    cursorAt: current.submittedAt - 1,
    manualCount: 0,
    failuresInRow: 0,
    isPaused: false,
    counts: { succeeded: 0, failed: 0, skipped: 0, missed: 0, killed: 0 },
    runs: [],
    activeRuns: [],
    timetable: undefined,
    nextAt: undefined,
    revision: 0,
    savedRevision: 0,
    savingRevision: undefined,
    stored: { job: 0, runs: 0 },
    isDefinitionDirty: true,
    versionsToForget: new Set(),
    gates: [],
  };
}

/** What State must be told so that it has the job as it is. */
export function writesOf(entry: JobEntry): Write[] {
  const runs: Write = {
    key: runsPrefix + entry.id,
    version: entry.stored.runs,
    value: JSON.stringify({
      schema: recordSchema,
      cursorAt: entry.cursorAt,
      manualCount: entry.manualCount,
      failuresInRow: entry.failuresInRow,
      isPaused: entry.isPaused,
      counts: entry.counts,
      runs: entry.runs.map(({ coverage: _, ...run }) => ({ ...run, ...instancesRecord(run.instances) })),
    } satisfies { [K in keyof RunsRecord]: unknown }),
  };
  if (!entry.isDefinitionDirty) return [runs];
  const { version, submittedAt, definition, source, dispatch } = entry.current;
  const record: JobRecord = {
    schema: recordSchema,
    version,
    isStopped: entry.isStopped,
    isPurged: entry.isPurged,
    anchorAt: entry.anchorAt,
  };
  const made = { schema: recordSchema, version, submittedAt, definition, source } as const;
  const versionRecord: VersionRecord = dispatch ? { ...made, dispatch } : made;
  return [
    runs,
    { key: jobPrefix + entry.id, version: entry.stored.job, value: JSON.stringify(record) },
    { key: versionKey(entry.id, version), value: JSON.stringify(versionRecord) },
    ...[...entry.versionsToForget].map((old) => ({ key: versionKey(entry.id, old) })),
  ];
}

/** What State must be told so that nothing of the job is left. */
export function removalOf(entry: JobEntry): Write[] {
  const versions = new Set([...entry.versions.keys(), ...entry.versionsToForget]);
  return [
    { key: jobPrefix + entry.id, version: entry.stored.job },
    { key: runsPrefix + entry.id, version: entry.stored.runs },
    ...[...versions].map((version) => ({ key: versionKey(entry.id, version) })),
  ];
}

/** The jobs that State holds, and what of it can't be read. Records that can't be read are left as they are. */
export function readRecords(records: readonly StoredRecord[]): { entries: JobEntry[]; problems: string[] } {
  const byKey = new Map(records.map((record) => [record.key, record]));
  const versions = new Map<string, Version[]>();
  const problems: string[] = [];
  const attempt = (key: string, read: () => void): void => {
    try {
      read();
    } catch (error) {
      problems.push(`${key}: ${error instanceof Error ? error.message : String(error)}`);
    }
  };
  for (const { key, value } of records) {
    if (!key.startsWith(versionPrefix)) continue;
    attempt(key, () => {
      const version = readVersion(value);
      const known = versions.get(version.job.id);
      if (known) known.push(version);
      else versions.set(version.job.id, [version]);
    });
  }
  const entries: JobEntry[] = [];
  for (const record of records) {
    if (!record.key.startsWith(jobPrefix)) continue;
    attempt(record.key, () => {
      const id = record.key.slice(jobPrefix.length);
      entries.push(readEntry(record, byKey.get(runsPrefix + id), versions.get(id) ?? []));
    });
  }
  return { entries, problems };
}

function versionKey(jobId: string, version: number): string {
  return `${versionPrefix}${jobId}/${version}`;
}

function readVersion(value: string): Version {
  const { version, submittedAt, definition, source, dispatch } = parse<VersionRecord>(value);
  const job = decodeJob(definition);
  if (!dispatch) return { version, submittedAt, definition, source, job };
  return { version, submittedAt, definition, source, dispatch, job: dispatchedJob(job, dispatch.id, dispatch.meta) };
}

function readEntry(job: StoredRecord, runs: StoredRecord | undefined, versions: readonly Version[]): JobEntry {
  const record = parse<JobRecord>(job.value);
  const current = versions.find(({ version }) => version === record.version);
  if (!current) throw new MusterError("internal", `version ${record.version} is missing`);
  const entry = newEntry(current);
  for (const version of versions) entry.versions.set(version.version, version);
  entry.isStopped = record.isStopped;
  entry.isPurged = record.isPurged;
  entry.anchorAt = record.anchorAt;
  entry.isDefinitionDirty = false;
  entry.stored.job = job.version;
  if (runs) {
    const kept = parse<RunsRecord>(runs.value);
    entry.cursorAt = kept.cursorAt;
    entry.manualCount = kept.manualCount;
    entry.failuresInRow = kept.failuresInRow ?? 0;
    entry.isPaused = kept.isPaused ?? false;
    entry.counts = kept.counts;
    entry.runs = kept.runs.map(readRun);
    entry.activeRuns = entry.runs.filter((run) => !hasEnded(run));
    entry.stored.runs = runs.version;
  }
  entry.timetable = timetableOf(current.job, entry.anchorAt);
  entry.nextAt = entry.timetable?.next(entry.cursorAt);
  return entry;
}

/** After a start nobody knows whether what had not ended was launched. */
function readRun({ instances, pinned, ...kept }: RunsRecord["runs"][number]): Run {
  const run: Run = {
    ...kept,
    instances: readInstances({ instances, ...(pinned ? { pinned } : {}) }),
    coverage: noCoverage(),
  };
  for (const instance of run.instances) instance.inQuestion = !hasEnded(run) && !isOver(instance);
  return run;
}

/** Of a run that follows no picture of the agents yet. */
export function noCoverage(): Coverage {
  return { revision: 0, hasMore: false, leftOutCount: 0 };
}

function parse<T extends { readonly schema: number }>(value: string): T {
  const record = JSON.parse(value) as T;
  if (record.schema !== recordSchema) throw new MusterError("unsupported", `form ${record.schema} of another version`);
  return record;
}

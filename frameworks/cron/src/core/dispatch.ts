import { invalid, MusterError, randomText } from "@muster/framework-sdk";
import { dispatchedJob, dispatchMark, type Parameterized } from "@muster/jobspecs";
import { endJob, presentJob } from "./jobs.ts";
import type { CronState, JobEntry, Version } from "./model.ts";
import { newEntry } from "./records.ts";
import { activeRuns, addRun } from "./runs.ts";
import { afterSave, type Turn, touch } from "./turn.ts";

/** Bytes that a dispatch may bring. */
export const payloadBytesMax = 16 * 1024;
/** Characters of the names and values in a dispatch's metadata, of its token, and of the prefix of its name. */
export const metaLengthMax = 64 * 1024;
export const tokenLengthMax = 255;
export const idPrefixLengthMax = 64;
/** Dispatches of one job that have not ended. */
export const dispatchesMax = 10_000;
/** Dispatches that have ended and are kept: that many with success, that many without. */
const keptOfEach = 10;

/** What somebody wants a parameterized job to run with. Its sizes have been checked. */
export interface DispatchRequest {
  readonly jobId: string;
  readonly payload: Buffer;
  readonly meta: Readonly<Record<string, string>>;
  readonly token: string;
  readonly idPrefix: string;
}

/**
 * Makes a job of its own for a dispatch, which runs at once: so its history, its retries, its record in State and its end
 * are those of any batch job, and a thousand of them are not one record. Throws `not-found`, `wrong-state`, `invalid`,
 * `too-many`. O(kept dispatches of the job).
 */
export function dispatch(turn: Turn, callId: number, request: DispatchRequest): void {
  const parent = presentJob(turn, request.jobId);
  const { parameterized } = parent.current.job;
  if (!parameterized)
    throw new MusterError("wrong-state", `job ${parent.id} is not parameterized: ${otherWay(parent)}`);
  if (parent.isStopped) throw new MusterError("wrong-state", `job ${parent.id} is stopped: run it again first`);
  refuseUnfit(parameterized, request);
  const children = turn.state.children.get(parent.id) ?? new Set<JobEntry>();
  const known = request.token === "" ? undefined : [...children].find(hasToken(request.token));
  if (known) {
    const answer = { type: "dispatched", name: known.id, created: false } as const;
    afterSave(turn, known, { type: "reply", callId, answer });
    touch(turn, known);
    return;
  }
  let activeCount = 0;
  for (const child of children) if (activeRuns(child).length > 0) activeCount++;
  if (activeCount >= dispatchesMax)
    throw new MusterError("too-many", `${dispatchesMax} dispatches of job ${parent.id} have not ended`, {
      retryAfterMs: 1_000,
    });
  const child = makeChild(turn, parent, request);
  children.add(child);
  turn.state.children.set(parent.id, children);
  turn.state.jobs.set(child.id, child);
  touch(turn, child);
  addRun(turn, child, "once", "v1", turn.nowMs, 0);
  afterSave(turn, child, { type: "reply", callId, answer: { type: "dispatched", name: child.id, created: true } });
}

/** The job that a dispatch made, if it did. */
export function parentIdOf(entry: JobEntry): string | undefined {
  return entry.current.dispatch?.parentId;
}

/** Ends the dispatches of a job that ends. Returns how many tasks will end. */
export function endChildren(turn: Turn, parentId: string, isPurged: boolean): number {
  let taskCount = 0;
  for (const child of turn.state.children.get(parentId) ?? [])
    if (!child.isStopped || isPurged) taskCount += endJob(turn, child, isPurged, "the parameterized job was stopped");
  return taskCount;
}

/** What a framework that ended in the middle of stopping a job has left undone. */
export function endOrphans(turn: Turn): void {
  for (const parentId of turn.state.children.keys()) {
    const parent = turn.state.jobs.get(parentId);
    if (parent === undefined || parent.isPurged) endChildren(turn, parentId, true);
    else if (parent.isStopped) endChildren(turn, parentId, false);
  }
}

/** Forgets the oldest dispatches that have ended, beyond those that are kept. O(n log n) in those of the job. */
export function trimChildren(turn: Turn, parentId: string): void {
  const ended = [...(turn.state.children.get(parentId) ?? [])].filter(
    (child) => activeRuns(child).length === 0 && !child.isPurged,
  );
  const endedAt = (child: JobEntry): number => child.runs.at(-1)?.endedAt ?? 0;
  ended.sort((a, b) => endedAt(b) - endedAt(a));
  const isGood = (child: JobEntry): boolean => child.runs.at(-1)?.phase === "succeeded";
  const excess = [...ended.filter(isGood).slice(keptOfEach), ...ended.filter((one) => !isGood(one)).slice(keptOfEach)];
  for (const child of excess) {
    child.isPurged = true;
    touch(turn, child);
  }
}

/** Puts a job that a dispatch has made beside the others of its kind. */
export function registerChild(state: CronState, entry: JobEntry): void {
  const parentId = parentIdOf(entry);
  if (parentId === undefined) return;
  const children = state.children.get(parentId);
  if (children) children.add(entry);
  else state.children.set(parentId, new Set([entry]));
}

/** The job is no more. */
export function forgetChild(state: CronState, entry: JobEntry): void {
  const parentId = parentIdOf(entry) ?? "";
  const children = state.children.get(parentId);
  if (children?.delete(entry) && children.size === 0) state.children.delete(parentId);
}

function hasToken(token: string): (child: JobEntry) => boolean {
  return ({ current, isPurged }) => current.dispatch?.token === token && !isPurged;
}

function otherWay({ current }: JobEntry): string {
  if (current.dispatch) return `it is a dispatch of job ${current.dispatch.parentId}`;
  return current.job.schedule ? "run it with job force" : "job run runs it";
}

function makeChild(turn: Turn, parent: JobEntry, { meta, payload, token, idPrefix }: DispatchRequest): JobEntry {
  const prefix = idPrefix === "" ? "" : `${idPrefix}-`;
  const seconds = Math.floor(turn.nowMs / 1_000);
  let id = "";
  do id = `${parent.id}${dispatchMark}${prefix}${seconds}-${randomText(turn.state.random, 8)}`;
  while (turn.state.jobs.has(id));
  const { definition, job } = parent.current;
  const version: Version = {
    version: 1,
    submittedAt: turn.nowMs,
    definition,
    source: "",
    job: dispatchedJob(job, id, meta),
    dispatch: { id, parentId: parent.id, meta, payloadBase64: payload.toString("base64"), token },
  };
  return newEntry(version);
}

function refuseUnfit(rules: Parameterized, { payload, meta }: DispatchRequest): void {
  if (rules.payload === "required" && payload.length === 0)
    throw invalid("payload", "must be given: the job requires one");
  if (rules.payload === "forbidden" && payload.length > 0)
    throw invalid("payload", "must not be given: the job's dispatches have none");
  const missing = rules.metaRequired.filter((name) => !Object.hasOwn(meta, name));
  if (missing.length > 0) throw invalid("meta", `must give ${missing.join(", ")}`);
  const known = new Set([...rules.metaRequired, ...rules.metaOptional]);
  const unknown = Object.keys(meta).filter((name) => !known.has(name));
  if (unknown.length === 0) return;
  const may = known.size === 0 ? "nothing" : [...known].join(", ");
  throw invalid("meta", `must not give ${unknown.join(", ")}: a dispatch of this job may give ${may}`);
}

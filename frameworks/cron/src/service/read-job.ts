import { invalid, type JobSubmission } from "@muster/framework-sdk";
import { decodeJob, type Job, JobInvalid } from "@muster/jobspecs";
import { timetableOf } from "../core/records.ts";
import type { Submission } from "../core/submit.ts";

/** Instances of one run: all of them are one record of State. */
const instancesMax = 200;
/** Characters of a definition and its source together: they are one record of State. */
const definitionLengthMax = 200_000;

/** Takes a job from the wire in. Throws `invalid` with the field, or `unsupported`. */
export function readSubmission(submission: JobSubmission | null, nowMs: number): Submission {
  if (!submission) throw invalid("job", "must be given");
  if (submission.definition.length + submission.source.length > definitionLengthMax)
    throw invalid("job.definition", `must have, with its source, at most ${definitionLengthMax} characters`);
  const job = readDefinition(Buffer.from(submission.definition).toString("utf8"));
  if (submission.name !== "" && submission.name !== job.id)
    throw invalid("job.name", `"${submission.name}" is not the job's own name "${job.id}"`);
  if (job.type !== "batch" && job.type !== "sysbatch")
    throw invalid("job.type", `"${job.type}" belongs to another framework`);
  const instances = job.groups.reduce((sum, { count }) => sum + count, 0);
  if (instances > instancesMax)
    throw invalid("job.groups", `must have at most ${instancesMax} instances, not ${instances}`);
  timetableOf(job, nowMs);
  return { job, source: submission.source, checkVersion: submission.checkVersion };
}

/** What is worth knowing about a job that can be run. */
export function warningsOf(job: Job, nowMs: number): string[] {
  const warnings: string[] = [];
  if (job.schedule && !job.schedule.enabled) warnings.push("its schedule is disabled: it runs only when forced");
  else if (job.schedule && timetableOf(job, nowMs)?.next(nowMs - 1) === undefined)
    warnings.push("its schedule is over: it runs only when forced");
  return warnings;
}

function readDefinition(json: string): Job {
  try {
    return decodeJob(json);
  } catch (error) {
    if (error instanceof JobInvalid) throw invalid(`job.${error.field}`, error.reason);
    throw error;
  }
}

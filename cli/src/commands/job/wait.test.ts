import { emptyMessage } from "@muster/foundation";
import { JobState, type JobStatus, type JobSummary } from "@muster/proto";
import { expect, test } from "vitest";
import { isSettled } from "./wait.ts";

function aJob(fields: Partial<JobSummary>): JobStatus {
  const counts = { desired: 3, running: 3, healthy: 3, updated: 3 };
  const summary = { ...emptyMessage("JobSummary"), type: "service", version: 4, ...counts, ...fields };
  return { ...emptyMessage("JobStatus"), summary };
}

const { JOB_STATE_RUNNING: state } = JobState;

test.each([
  ["all are healthy and up to date", { state }, true],
  ["a later version is", { state, version: 5 }, true],
  ["an earlier version is still answered", { state, version: 3 }, false],
  ["those that are healthy are of the version before", { state, updated: 1 }, false],
  ["one too many still runs", { state, running: 4, healthy: 4 }, false],
  ["a batch job runs", { state, type: "batch" }, false],
])("settled or not when %s", (_, fields, settled) => {
  expect(isSettled(aJob(fields), 4)).toBe(settled);
});

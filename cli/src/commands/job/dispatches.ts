import { JobState, type JobStatus, type JobSummary } from "@muster/proto";
import { type Client, message } from "../../connect/client.ts";
import type { Output } from "../../output/output.ts";
import { enumWord, stateText } from "../../output/states.ts";
import { table } from "../../output/table.ts";
import { age } from "../../output/times.ts";
import { summaryOf } from "./describe.ts";

/** What a parameterized job was dispatched for, as far as it is kept, the latest first; undefined: it is no such job. */
export async function dispatchesOf(client: Client, job: JobStatus): Promise<JobSummary[] | undefined> {
  const { parameterized } = JSON.parse(Buffer.from(job.definition).toString("utf8") || "{}") as {
    parameterized?: object;
  };
  if (parameterized === undefined) return undefined;
  const { name } = summaryOf(job);
  const { jobs } = await client.call("Jobs.List", message("JobsListRequest", { prefix: `${name}/` }));
  return jobs.filter(({ parent }) => parent === name).sort((a, b) => b.submittedAt - a.submittedAt);
}

export function showDispatches(dispatches: readonly JobSummary[], out: Output, nowMs: number): void {
  out.line();
  if (dispatches.length === 0) out.line("not dispatched yet");
  else
    out.line(
      table(
        ["DISPATCH", "STATUS", "RUNNING", "AGE"],
        dispatches.map((each) => [
          each.name,
          stateText(enumWord(JobState, each.state, "JOB_STATE_"), out.style),
          `${each.running}/${each.desired}`,
          age(each.submittedAt, nowMs),
        ]),
      ),
    );
}

import { JobState } from "@muster/proto";
import type { CommandModule } from "../../command.ts";
import { type Client, message, withClient } from "../../connect/client.ts";
import { exitCode } from "../../exit-codes.ts";
import type { Output } from "../../output/output.ts";
import { enumWord, stateText } from "../../output/states.ts";
import { table } from "../../output/table.ts";
import { age } from "../../output/times.ts";
import { summaryJson } from "./describe.ts";

export const run: CommandModule["run"] = (invocation) =>
  withClient(invocation, (client) =>
    listJobs(client, invocation.out, {
      type: invocation.options.text("type"),
      dispatches: invocation.options.flag("dispatches"),
    }),
  );

export interface ListChoice {
  readonly type?: string | undefined;
  /** Jobs that dispatches have made are listed too. */
  readonly dispatches?: boolean;
}

export async function listJobs(
  client: Client,
  out: Output,
  { type = "", dispatches }: ListChoice = {},
): Promise<number> {
  const answer = await client.call("Jobs.List", message("JobsListRequest", { type }));
  const { typesUnavailable } = answer;
  const jobs = answer.jobs.filter(({ parent }) => dispatches || parent === "");
  for (const missing of typesUnavailable) {
    out.warn(`jobs of type ${missing} are missing: their framework is away`);
  }
  out.data(jobs.map(summaryJson));
  const nowMs = Date.now();
  if (jobs.length === 0) out.line("no jobs");
  else
    out.line(
      table(
        ["NAME", "TYPE", "STATUS", "HEALTHY", "ROLE", "VERSION", "AGE"],
        jobs.map((job) => [
          job.name,
          job.type,
          stateText(enumWord(JobState, job.state, "JOB_STATE_"), out.style),
          `${job.healthy}/${job.desired}`,
          job.role,
          `v${job.version}`,
          age(job.submittedAt, nowMs),
        ]),
      ),
    );
  out.next(jobs[0] ? `muster job status ${jobs[0].name}` : "muster job init");
  return exitCode.done;
}

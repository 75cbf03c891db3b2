import type { CommandModule } from "../../command.ts";
import { withClient } from "../../connect/client.ts";
import { exitCode } from "../../exit-codes.ts";
import { jobJson, summaryJson } from "./describe.ts";
import { dispatchesOf, showDispatches } from "./dispatches.ts";
import { findJob } from "./find.ts";
import { listJobs } from "./list.ts";
import { showJob } from "./show.ts";

export const run: CommandModule["run"] = (invocation) =>
  withClient(invocation, async (client) => {
    const { args, out } = invocation;
    const [name] = args;
    if (name === undefined) return listJobs(client, out);
    const job = await findJob(client, name);
    const dispatches = await dispatchesOf(client, job);
    out.data({ ...jobJson(job), ...(dispatches ? { dispatches: dispatches.map(summaryJson) } : {}) });
    showJob(job, out, Date.now());
    if (dispatches) showDispatches(dispatches, out, Date.now());
    out.next(`muster job logs ${job.summary?.name ?? name}`);
    return exitCode.done;
  });

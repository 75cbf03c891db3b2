import { isTerminal } from "@muster/foundation";
import type { JobStatus } from "@muster/proto";
import { JobState } from "@muster/proto";
import { toCliError } from "../../cli-error.ts";
import type { CommandModule } from "../../command.ts";
import { confirmed } from "../../connect/ask.ts";
import { message, withClient } from "../../connect/client.ts";
import { exitCode } from "../../exit-codes.ts";
import { summaryOf } from "./describe.ts";
import { findJob } from "./find.ts";
import { outcomeCodes, waitForJob } from "./wait.ts";

export const run: CommandModule["run"] = (invocation) =>
  withClient(invocation, async (client) => {
    const { out, options } = invocation;
    const purge = options.flag("purge");
    const wipe = options.flag("wipe");
    const present = await findJob(client, invocation.args[0] ?? "");
    const { name, running } = summaryOf(present);
    const count = present.volumes.length;
    const wipes =
      count > 0 && (purge || wipe) ? `, removes ${count} volume${count === 1 ? "" : "s"} with all that is in them` : "";
    const forgets = `${purge ? " and forgets its history" : ""}${wipes}`;
    if (
      !(await confirmed(
        invocation,
        `this stops ${running} running task${running === 1 ? "" : "s"} of ${name}${forgets}`,
      ))
    ) {
      out.say("nothing was done");
      return exitCode.failed;
    }
    const { taskCount } = await client.call("Jobs.Stop", message("StopRequest", { name, purge, wipe }));
    if (options.flag("detach")) {
      out.data({ name, tasks: taskCount, outcome: "detached" });
      out.line(`${name} will stop: ${taskCount} tasks`);
      return exitCode.done;
    }
    const outcome = await waitForEnd();
    out.data({ name, tasks: taskCount, outcome });
    if (outcome === "reached") out.line(`${name} is stopped: ${taskCount} task${taskCount === 1 ? "" : "s"} ended`);
    else out.say(`${name} is still stopping`);
    out.next(purge ? "muster job list" : `muster job status ${name}`);
    return outcomeCodes[outcome];

    async function waitForEnd() {
      try {
        const result = await waitForJob(client, out, {
          name,
          timeoutMs: options.durationMs("timeout"),
          reached: hasEnded,
        });
        return result.outcome;
      } catch (error) {
        // A purged job is gone as soon as its tasks are.
        if (purge && toCliError(error).kind === "not-found") return "reached" as const;
        throw error;
      }
    }
  });

function hasEnded(job: JobStatus): boolean {
  const { state } = summaryOf(job);
  const over = state === JobState.JOB_STATE_STOPPED || state === JobState.JOB_STATE_COMPLETE;
  return over && job.instances.every((instance) => isTerminal(instance.state) || instance.taskId === "");
}

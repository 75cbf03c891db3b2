import { usageError } from "../../cli-error.ts";
import type { CommandModule } from "../../command.ts";
import { message, withClient } from "../../connect/client.ts";
import { exitCode } from "../../exit-codes.ts";
import { jobJson, summaryOf } from "./describe.ts";
import { findJob } from "./find.ts";
import { showOutcome } from "./outcome.ts";
import { waitUntilHealthy } from "./run.ts";
import { outcomeCodes } from "./wait.ts";

export const run: CommandModule["run"] = (invocation) => {
  const { out, options, args } = invocation;
  const [given = "", wanted = ""] = args;
  if (!/^v?\d{1,9}$/.test(wanted))
    throw usageError("the version must be a number", "muster job history NAME lists them");
  return withClient(invocation, async (client) => {
    const { name } = summaryOf(await findJob(client, given));
    const request = message("RevertRequest", { name, version: Number(wanted.replace("v", "")) });
    const { version } = await client.call("Jobs.Revert", request);
    out.say(`${name} goes back to v${request.version}, as v${version}`);
    if (options.flag("detach")) {
      out.data({ name, version, outcome: "detached" });
      out.next(`muster job status ${name}`);
      return exitCode.done;
    }
    const { outcome, job } = await waitUntilHealthy(client, out, name, version, options.durationMs("timeout"));
    out.data({ ...(job === undefined ? { name, version } : jobJson(job)), outcome });
    showOutcome(out, name, outcome, job);
    return outcomeCodes[outcome];
  });
};

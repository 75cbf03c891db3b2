import type { CommandModule } from "../../command.ts";
import { message, withClient } from "../../connect/client.ts";
import { exitCode } from "../../exit-codes.ts";
import { jobJson, summaryOf } from "./describe.ts";
import { findJob } from "./find.ts";
import { showOutcome } from "./outcome.ts";
import { waitUntilHealthy } from "./run.ts";
import { outcomeCodes } from "./wait.ts";

export const run: CommandModule["run"] = (invocation) =>
  withClient(invocation, async (client) => {
    const { out, options } = invocation;
    const { name, version } = summaryOf(await findJob(client, invocation.args[0] ?? ""));
    const groups = [...options.list("group")];
    await client.call("Jobs.Promote", message("PromoteRequest", { name, groups }));
    out.say(`${name} v${version} is promoted${groups.length === 0 ? "" : `: ${groups.join(", ")}`}`);
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

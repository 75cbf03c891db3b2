import { usageError } from "../../cli-error.ts";
import type { CommandModule } from "../../command.ts";
import { message, withClient } from "../../connect/client.ts";
import { exitCode } from "../../exit-codes.ts";

export const run: CommandModule["run"] = (invocation) => {
  const { out, options } = invocation;
  const [role = "", text = ""] = invocation.args;
  if (!/^\d+(\.\d{1,3})?$/.test(text))
    throw usageError(`"${text}" is no weight`, "for instance 2 or 0.5; 1 is the usual");
  const weightMillis = Math.round(Number(text) * 1_000);
  return withClient(invocation, async (client) => {
    const dryRun = options.flag("dryRun");
    const request = message("SetWeightRequest", { role, weightMillis, dryRun });
    const { weightMillisBefore } = await client.call("Operator.SetWeight", request);
    out.data({ role, weight: weightMillis / 1_000, weightBefore: weightMillisBefore / 1_000, dryRun });
    const outcome = `weight of ${role}: ${weightMillisBefore / 1_000} -> ${weightMillis / 1_000}`;
    out.line(dryRun ? `would change: ${outcome}` : `${outcome}; later offers follow it`);
    out.next("muster role list");
    return exitCode.done;
  });
};

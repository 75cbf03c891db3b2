import { usageError } from "../../cli-error.ts";
import type { CommandModule, Invocation } from "../../command.ts";
import { withClient } from "../../connect/client.ts";
import { exitCode } from "../../exit-codes.ts";
import { rfc3339, spanText } from "../../output/times.ts";
import { affectedJson, affectedText } from "./affected.ts";
import { findAgent } from "./find.ts";
import { changePlan } from "./maintenance-plan.ts";

const durationMsDefault = 3_600_000;

export const run: CommandModule["run"] = (invocation) =>
  withClient(invocation, async (client) => {
    const { out, options } = invocation;
    const startAt = startOf(invocation, Date.now());
    const durationMs = options.durationMs("for") ?? durationMsDefault;
    const { agentId, name } = await findAgent(client, invocation.args[0] ?? "");
    const dryRun = options.flag("dryRun");
    const { affected } = await changePlan(client, dryRun, (windows) => [...windows, { agentId, startAt, durationMs }]);
    out.data({ agentId, agent: name, startAt: rfc3339(startAt), durationMs, dryRun, ...affectedJson(affected) });
    const verb = dryRun ? "would be" : "is";
    const text = affectedText(affected);
    out.line(`${name} ${verb} in maintenance from ${rfc3339(startAt)} for ${spanText(durationMs)}; there now: ${text}`);
    out.next("muster maintenance list");
    return exitCode.done;
  });

/** `--at` a time or `--in` a span; one of the two. */
function startOf({ options }: Invocation, nowMs: number): number {
  const at = options.text("at");
  const inMs = options.durationMs("in");
  if ((at === undefined) === (inMs === undefined))
    throw usageError("say when it begins: either --in or --at", "--in 1h, or --at 2030-01-31T22:00:00Z");
  if (inMs !== undefined) return nowMs + inMs;
  const startAt = Date.parse(at ?? "");
  if (Number.isNaN(startAt)) throw usageError(`--at needs a time, not "${at}"`, "--at 2030-01-31T22:00:00Z");
  return startAt;
}

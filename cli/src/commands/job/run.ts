import type { CommandModule } from "../../command.ts";
import { type Client, message, withClient } from "../../connect/client.ts";
import { exitCode } from "../../exit-codes.ts";
import type { Output } from "../../output/output.ts";
import { timeText } from "../../output/times.ts";
import { compileOrFail, readSource } from "./compile.ts";
import { jobJson, summaryOf } from "./describe.ts";
import { showOutcome } from "./outcome.ts";
import { submissionOf } from "./submission.ts";
import { awaitsPromotion, hasFailed, isSettled, outcomeCodes, type WaitResult, waitForJob } from "./wait.ts";

export const run: CommandModule["run"] = async (invocation) => {
  const { out, options } = invocation;
  const source = readSource(invocation.args[0] ?? "");
  const compiled = compileOrFail(source, invocation);
  const { job } = compiled;
  return withClient(invocation, async (client) => {
    const submission = submissionOf(compiled, invocation);
    const { version, changed, warnings } = await client.call("Jobs.Run", message("RunRequest", { job: submission }));
    for (const warning of warnings) out.warn(warning);
    const name = job.id;
    out.say(changed ? `${name} v${version} is taken in` : `${name} is v${version} already; nothing changed`);
    if (options.flag("detach")) {
      out.data({ name, version, changed, outcome: "detached" });
      out.next(`muster job status ${name}`);
      return exitCode.done;
    }
    if (job.parameterized) {
      out.data({ name, version, changed, outcome: "parameterized" });
      out.line(`${name} runs each time that it is dispatched`);
      out.next(`muster job dispatch ${name}`);
      return exitCode.done;
    }
    if (job.schedule) return reportSchedule(client, out, name, version, changed);
    const result = await waitUntilHealthy(client, out, name, version, options.durationMs("timeout"));
    out.data({
      ...(result.job === undefined ? { name, version } : jobJson(result.job)),
      changed,
      outcome: result.outcome,
    });
    showOutcome(out, name, result.outcome, result.job);
    return outcomeCodes[result.outcome];
  });
};

/** Follows a job that was taken in, until this version is healthy or complete, or its canaries wait for people. */
export function waitUntilHealthy(
  client: Client,
  out: Output,
  name: string,
  version: number,
  timeoutMs: number | undefined,
): Promise<WaitResult> {
  return waitForJob(client, out, {
    name,
    timeoutMs,
    reached: (job) => isSettled(job, version) || awaitsPromotion(job, version),
    failed: (job) => summaryOf(job).version >= version && hasFailed(job),
  });
}

/** A job with a schedule has nothing to wait for but its time. */
async function reportSchedule(client: Client, out: Output, name: string, version: number, changed: boolean) {
  const { job } = await client.call("Jobs.Get", message("JobsGetRequest", { name }));
  const next = job?.summary?.nextRunAt ?? 0;
  out.data({ ...(job ? jobJson(job) : { name, version }), changed, outcome: "scheduled" });
  out.line(
    next === 0 ? `${name} has no run before it` : `${name} runs next ${timeText(next, Date.now(), out.isTerminal)}`,
  );
  out.next(`muster job force ${name}`);
  return exitCode.done;
}

import { type JobRun, RunState } from "@muster/proto";
import { toCliError } from "../../cli-error.ts";
import type { CommandModule } from "../../command.ts";
import { type Client, message, withClient } from "../../connect/client.ts";
import { deadline, onInterrupt } from "../../connect/interrupt.ts";
import { exitCode } from "../../exit-codes.ts";
import { summaryOf } from "./describe.ts";
import { findJob } from "./find.ts";
import { runJson } from "./runs.ts";
import { waitMsDefault } from "./wait.ts";

/** Runs have no stream of their own; asking so often is quick enough for people. */
const askEveryMs = 250;
const over: ReadonlySet<RunState> = new Set([
  RunState.RUN_STATE_SUCCEEDED,
  RunState.RUN_STATE_FAILED,
  RunState.RUN_STATE_SKIPPED,
  RunState.RUN_STATE_MISSED,
  RunState.RUN_STATE_KILLED,
]);

export const run: CommandModule["run"] = (invocation) =>
  withClient(invocation, async (client) => {
    const { out, options } = invocation;
    const { name } = summaryOf(await findJob(client, invocation.args[0] ?? ""));
    const { runId } = await client.call("Jobs.Force", message("ForceRequest", { name }));
    out.say(`${name}: run ${runId} is recorded`);
    if (options.flag("detach")) {
      out.data({ name, id: runId, outcome: "detached" });
      out.next(`muster job runs ${name}`);
      return exitCode.done;
    }
    const ended = await waitForRun(client, name, runId, options.durationMs("timeout") ?? waitMsDefault);
    if (ended === "timeout" || ended === "interrupted") {
      out.data({ name, id: runId, outcome: ended });
      out.say(`stopped waiting; run ${runId} goes on`);
      out.next(`muster job runs ${name}`);
      return ended === "timeout" ? exitCode.timeout : exitCode.interrupted;
    }
    const succeeded = ended.state === RunState.RUN_STATE_SUCCEEDED;
    out.data({ name, ...runJson(ended), outcome: succeeded ? "reached" : "failed" });
    const code = ended.exitCode === undefined ? "" : `, exit code ${ended.exitCode}`;
    out.line(
      `${succeeded ? "ok" : "failed"} ${name} run ${runId}${code}${ended.reason === "" ? "" : `: ${ended.reason}`}`,
    );
    out.next(`muster job logs ${name}`);
    return succeeded ? exitCode.done : exitCode.incomplete;
  });

async function waitForRun(client: Client, name: string, runId: string, timeoutMs: number) {
  const interrupt = onInterrupt();
  const limit = deadline(timeoutMs);
  let isOver = false;
  const asking = async (): Promise<JobRun> => {
    for (;;) {
      const found = await askOnce(client, name, runId);
      if (found && over.has(found.state)) return found;
      await new Promise((resolve) => setTimeout(resolve, askEveryMs));
      if (isOver && found) return found;
    }
  };
  try {
    return await Promise.race([asking(), limit.passed, interrupt.interrupted]);
  } finally {
    isOver = true;
    limit.release();
    interrupt.release();
  }
}

async function askOnce(client: Client, name: string, runId: string): Promise<JobRun | undefined> {
  try {
    const { runs } = await client.call("Jobs.Runs", message("RunsRequest", { name, limit: 100 }));
    return runs.find((each) => each.runId === runId);
  } catch (error) {
    // A framework or master that is being restarted is back soon; the deadline bounds the patience.
    if (toCliError(error).kind === "unavailable") return undefined;
    throw error;
  }
}

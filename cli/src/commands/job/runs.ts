import { type JobRun, RunState } from "@muster/proto";
import type { CommandModule } from "../../command.ts";
import { message, withClient } from "../../connect/client.ts";
import { exitCode } from "../../exit-codes.ts";
import { enumWord, stateText } from "../../output/states.ts";
import { table } from "../../output/table.ts";
import { rfc3339, timeText } from "../../output/times.ts";
import { summaryOf } from "./describe.ts";
import { findJob } from "./find.ts";

export const run: CommandModule["run"] = (invocation) =>
  withClient(invocation, async (client) => {
    const { out, options } = invocation;
    const { name } = summaryOf(await findJob(client, invocation.args[0] ?? ""));
    const limit = options.integer("limit") ?? 0;
    const { runs } = await client.call("Jobs.Runs", message("RunsRequest", { name, limit }));
    out.data(runs.map(runJson));
    const nowMs = Date.now();
    const when = (ms: number): string => timeText(ms, nowMs, out.isTerminal);
    if (runs.length === 0) out.line("no runs yet");
    else
      out.line(
        table(
          ["RUN", "KIND", "PLANNED", "STARTED", "ENDED", "STATE", "EXIT", "REASON"],
          runs.map((each) => [
            each.runId,
            each.kind,
            when(each.plannedAt),
            when(each.startedAt),
            when(each.endedAt),
            stateText(enumWord(RunState, each.state, "RUN_STATE_"), out.style),
            each.exitCode === undefined ? "-" : String(each.exitCode),
            each.reason || "-",
          ]),
        ),
      );
    out.next(`muster job logs ${name}`);
    return exitCode.done;
  });

export function runJson(each: JobRun) {
  return {
    id: each.runId,
    kind: each.kind,
    state: enumWord(RunState, each.state, "RUN_STATE_"),
    plannedAt: rfc3339(each.plannedAt),
    startedAt: rfc3339(each.startedAt),
    endedAt: rfc3339(each.endedAt),
    exitCode: each.exitCode ?? null,
    task: each.taskId,
    attempts: each.attemptCount,
    reason: each.reason,
  };
}

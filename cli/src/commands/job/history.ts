import type { CommandModule } from "../../command.ts";
import { message, withClient } from "../../connect/client.ts";
import { exitCode } from "../../exit-codes.ts";
import { table } from "../../output/table.ts";
import { rfc3339, timeText } from "../../output/times.ts";
import { summaryOf } from "./describe.ts";
import { findJob } from "./find.ts";

export const run: CommandModule["run"] = (invocation) =>
  withClient(invocation, async (client) => {
    const { out } = invocation;
    const { name } = summaryOf(await findJob(client, invocation.args[0] ?? ""));
    const { versions } = await client.call("Jobs.History", message("HistoryRequest", { name }));
    out.data(
      versions.map(({ version, submittedAt, cause, stable, source }) => ({
        version,
        submittedAt: rfc3339(submittedAt),
        cause,
        stable,
        source,
      })),
    );
    const nowMs = Date.now();
    out.line(
      table(
        ["VERSION", "WHEN", "CAUSE", "STABLE"],
        versions.map(({ version, submittedAt, cause, stable }) => [
          `v${version}`,
          timeText(submittedAt, nowMs, out.isTerminal),
          cause,
          stable ? "yes" : "no",
        ]),
      ),
    );
    out.next(`muster job status ${name}`);
    return exitCode.done;
  });

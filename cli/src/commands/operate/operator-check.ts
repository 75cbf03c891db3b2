import type { CommandModule } from "../../command.ts";
import { message, withClient } from "../../connect/client.ts";
import { exitCode } from "../../exit-codes.ts";
import { table } from "../../output/table.ts";
import { plural } from "./affected.ts";

/** Slices of a large cluster leave others their turn. */
const checkTimeoutMs = 60_000;

export const run: CommandModule["run"] = (invocation) =>
  withClient(invocation, async (client) => {
    const { out } = invocation;
    const answer = await client.call("Operator.Check", message("CheckRequest"), checkTimeoutMs);
    const { violations, agentCount, taskCount } = answer;
    out.data({
      agents: agentCount,
      tasks: taskCount,
      violations: violations.map(({ rule, subjectId, detail }) => ({ rule, subject: subjectId, detail })),
    });
    const looked = `${plural(agentCount, "agent")} with ${plural(taskCount, "task")}`;
    if (violations.length === 0) {
      out.line(`${out.style.paint("green", "✔")} ${looked}: all that must hold holds`);
      return exitCode.done;
    }
    out.line(
      table(
        ["RULE", "SUBJECT", "SEEN"],
        violations.map(({ rule, subjectId, detail }) => [rule, subjectId, detail]),
      ),
    );
    out.line(`${looked}: ${plural(violations.length, "violation")}, which is a bug of the master: please report it`);
    out.next("muster operator snapshot > state.ndjson");
    return exitCode.failed;
  });

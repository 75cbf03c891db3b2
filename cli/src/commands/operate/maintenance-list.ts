import type { CommandModule } from "../../command.ts";
import { message, withClient } from "../../connect/client.ts";
import { exitCode } from "../../exit-codes.ts";
import { table } from "../../output/table.ts";
import { rfc3339, spanText, timeText } from "../../output/times.ts";

export const run: CommandModule["run"] = (invocation) =>
  withClient(invocation, async (client) => {
    const { out } = invocation;
    const { windows, version } = await client.call("Operator.GetMaintenance", message("GetMaintenanceRequest"));
    const { agents } = await client.call("Operator.ListAgents", message("ListAgentsRequest"));
    const nameOf = (id: string): string => agents.find(({ agentId }) => agentId === id)?.name ?? id;
    out.data({
      version,
      windows: windows.map(({ agentId, startAt, durationMs }) => ({
        agentId,
        agent: nameOf(agentId),
        startAt: rfc3339(startAt),
        endAt: rfc3339(startAt + durationMs),
        durationMs,
      })),
    });
    if (windows.length === 0) out.line("no maintenance is planned");
    else
      out.line(
        table(
          ["AGENT", "BEGINS", "FOR", "ID"],
          windows.map(({ agentId, startAt, durationMs }) => [
            nameOf(agentId),
            timeText(startAt, Date.now(), out.isTerminal),
            spanText(durationMs),
            agentId,
          ]),
        ),
      );
    out.next("muster maintenance add <agent> --in 1h --for 30m");
    return exitCode.done;
  });

import { formatResources, noResources } from "@muster/foundation";
import type { CommandModule } from "../command.ts";
import { message, withClient } from "../connect/client.ts";
import { exitCode } from "../exit-codes.ts";
import { stateText } from "../output/states.ts";
import { table } from "../output/table.ts";
import { rfc3339, timeText } from "../output/times.ts";

export const run: CommandModule["run"] = (invocation) =>
  withClient(invocation, async (client) => {
    const { out } = invocation;
    const { frameworks } = await client.call("Operator.ListFrameworks", message("ListFrameworksRequest"));
    out.data(
      frameworks.map((framework) => ({
        id: framework.frameworkId,
        name: framework.name,
        connected: framework.connected,
        roles: framework.roles,
        suppressedRoles: framework.suppressedRoles,
        jobTypes: framework.jobTypes,
        tasks: framework.taskCount,
        allocated: framework.allocated,
        offered: framework.offered,
        offersSent: framework.offersSent,
        offersAccepted: framework.offersAccepted,
        offersDeclined: framework.offersDeclined,
        declinedInRow: framework.declinedInRow,
        demands: framework.demands.map(({ role, count, offeredCount, resources }) => {
          return { role, count, offeredCount, resources };
        }),
        subscribedAt: rfc3339(framework.subscribedAt),
        disconnectedAt: rfc3339(framework.disconnectedAt),
        failoverTimeoutMs: framework.failoverTimeoutMs,
        version: framework.version,
      })),
    );
    const nowMs = Date.now();
    if (frameworks.length === 0) out.line("no frameworks");
    else
      out.line(
        table(
          ["NAME", "STATE", "SINCE", "ROLES", "JOB TYPES", "TASKS", "USES", "OFFERED", "USED", "DECLINED", "ID"],
          frameworks.map((framework) => [
            framework.name,
            stateText(framework.connected ? "connected" : "disconnected", out.style),
            timeText(framework.connected ? framework.subscribedAt : framework.disconnectedAt, nowMs, out.isTerminal),
            framework.roles.join(","),
            framework.jobTypes.join(",") || "-",
            String(framework.taskCount),
            formatResources(framework.allocated ?? noResources) || "-",
            String(framework.offersSent),
            String(framework.offersAccepted),
            String(framework.offersDeclined),
            framework.frameworkId,
          ]),
        ),
      );
    out.next("muster offers");
    return exitCode.done;
  });

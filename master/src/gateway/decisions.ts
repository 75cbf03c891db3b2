import type { Result } from "@muster/foundation";
import type { Affected } from "@muster/proto";
import type { Loop } from "../loop.ts";
import type { MasterHandlers } from "./guard.ts";

type DecisionHandlers = Pick<
  MasterHandlers,
  | "Operator.Drain"
  | "Operator.Deactivate"
  | "Operator.Reactivate"
  | "Operator.MarkGone"
  | "Operator.GetMaintenance"
  | "Operator.SetMaintenance"
  | "Operator.TeardownFramework"
>;

/** What operators decide about agents and frameworks. Answered when the registry has it. */
export function serveDecisions(loop: () => Loop): DecisionHandlers {
  return {
    "Operator.Drain": ({ agentId, deadlineMs, graceMsMax, markGone, dryRun }, _peer, respond) => {
      const command = { type: "drain", agentId, deadlineMs, graceMsMax, markGone, dryRun } as const;
      loop().ask(command, told(respond));
      return undefined;
    },
    "Operator.Deactivate": ({ agentId, dryRun }, _peer, respond) => {
      loop().ask({ type: "deactivate", agentId, dryRun }, told(respond));
      return undefined;
    },
    "Operator.Reactivate": ({ agentId, dryRun }, _peer, respond) => {
      loop().ask({ type: "reactivate", agentId, dryRun }, (result) =>
        respond(result.ok ? { ok: true, value: {} } : result),
      );
      return undefined;
    },
    "Operator.MarkGone": ({ agentId, dryRun }, _peer, respond) => {
      loop().ask({ type: "mark-gone", agentId, dryRun }, told(respond));
      return undefined;
    },
    "Operator.GetMaintenance": (_request, _peer, respond) => {
      const { maintenance, maintenanceVersion: version } = loop().core.state;
      respond({ ok: true, value: { windows: [...maintenance], version } });
      return undefined;
    },
    "Operator.SetMaintenance": ({ windows, version, dryRun }, _peer, respond) => {
      loop().ask({ type: "maintenance", windows, version, dryRun }, told(respond));
      return undefined;
    },
    "Operator.TeardownFramework": ({ frameworkId, dryRun }, _peer, respond) => {
      loop().ask({ type: "tear-down", frameworkId, dryRun }, told(respond));
      return undefined;
    },
  };
}

function told(respond: (result: Result<{ affected: Affected | null }>) => void): (result: Result<Affected>) => void {
  return (result) => respond(result.ok ? { ok: true, value: { affected: result.value } } : result);
}

import type { Affected, MaintenanceWindow } from "@muster/proto";
import { type Client, message } from "../../connect/client.ts";

export interface PlanChange {
  readonly affected: Affected | null;
  readonly before: readonly MaintenanceWindow[];
  readonly after: readonly MaintenanceWindow[];
}

/** Replaces the plan by a changed one, unless somebody else has changed it meanwhile: then it is refused. */
export async function changePlan(
  client: Client,
  dryRun: boolean,
  change: (windows: readonly MaintenanceWindow[]) => MaintenanceWindow[],
): Promise<PlanChange> {
  const { windows: before, version } = await client.call("Operator.GetMaintenance", message("GetMaintenanceRequest"));
  const after = change(before);
  const request = message("SetMaintenanceRequest", { windows: after, version, dryRun });
  const { affected } = await client.call("Operator.SetMaintenance", request);
  return { affected, before, after };
}

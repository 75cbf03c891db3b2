import type { OverlayLease, OverlayRecord } from "@muster/proto";
import type { CommandModule } from "../command.ts";
import { message, withClient } from "../connect/client.ts";
import { exitCode } from "../exit-codes.ts";
import { table } from "../output/table.ts";
import { rfc3339 } from "../output/times.ts";

export const run: CommandModule["run"] = (invocation) =>
  withClient(invocation, async (client) => {
    const { out } = invocation;
    const { overlays } = await client.call("Operator.ListOverlays", message("ListOverlaysRequest"));
    out.data(overlays.map(networkJson));
    if (overlays.length === 0) out.line("no overlay networks");
    for (const [index, overlay] of overlays.entries()) {
      if (index > 0) out.line("");
      describe(overlay, (line) => out.line(line));
    }
    out.next("muster agent list");
    return exitCode.done;
  });

function describe(
  { network, leases, subnetCount, waitingAgentIds }: OverlayRecord,
  line: (text: string) => void,
): void {
  if (!network) return;
  const { name, backend, cidr, cidr6, vni, port, directRouting } = network;
  const tunnel = backend === "vxlan" ? `, vni ${vni}, port ${port}${directRouting ? ", direct routing" : ""}` : "";
  line(`overlay/${name}: ${[cidr, cidr6].filter(Boolean).join(", ")}; ${backend}${tunnel}`);
  const held = leases.filter(({ releasedAt }) => releasedAt === 0);
  line(`${held.length} of ${subnetCount} subnets are taken${waiting(waitingAgentIds)}`);
  if (held.length > 0) line(table(["AGENT", "SUBNET", "IPV6", "UNDERLAY", "ID"], held.map(row)));
}

function waiting(ids: readonly string[]): string {
  return ids.length === 0 ? "" : `; without one: ${ids.join(", ")}`;
}

function row({ subnet, agentName }: OverlayLease): string[] {
  return [
    agentName || "-",
    subnet?.subnet ?? "",
    subnet?.subnet6 || "-",
    subnet?.underlayIp ?? "",
    subnet?.agentId ?? "",
  ];
}

function networkJson({ network, leases, subnetCount, waitingAgentIds }: OverlayRecord) {
  return {
    ...network,
    subnetCount,
    waitingAgentIds,
    subnets: leases.map(({ subnet, agentName, releasedAt }) => ({
      agentId: subnet?.agentId,
      agentName,
      subnet: subnet?.subnet,
      subnet6: subnet?.subnet6,
      underlayIp: subnet?.underlayIp,
      underlayIp6: subnet?.underlayIp6,
      releasedAt: rfc3339(releasedAt),
    })),
  };
}

import { formatResources, noResources } from "@muster/foundation";
import type { RoleRecord } from "@muster/proto";
import type { CommandModule } from "../../command.ts";
import { message, withClient } from "../../connect/client.ts";
import { exitCode } from "../../exit-codes.ts";
import { table } from "../../output/table.ts";

export const run: CommandModule["run"] = (invocation) =>
  withClient(invocation, async (client) => {
    const { out } = invocation;
    const { roles } = await client.call("Operator.ListRoles", message("ListRolesRequest"));
    out.data(roles.map(roleJson));
    if (roles.length === 0) out.line("no roles");
    else
      out.line(
        table(
          ["ROLE", "WEIGHT", "SHARE", "USES", "OFFERED", "GUARANTEE", "LIMIT", "FRAMEWORKS"],
          roles.map((role) => [
            role.role,
            String(role.weightMillis / 1_000),
            `${(role.dominantShareMillionths / 10_000).toFixed(1)} %`,
            formatResources(role.allocated ?? noResources),
            formatResources(role.offered ?? noResources),
            role.guarantee ? formatResources(role.guarantee) : "-",
            limitText(role),
            String(role.frameworkIds.length),
          ]),
        ),
      );
    out.next(roles[0] ? `muster role explain ${roles[0].role}` : "muster framework list");
    return exitCode.done;
  });

/** For people, for instance "cpu 4, gpus none". */
export function limitText({ limit, limitedToNone }: RoleRecord): string {
  if (limit === null) return "-";
  const custom = Object.fromEntries(Object.entries(limit.custom).filter(([, most]) => most > 0));
  const bounded = formatResources({ ...limit, custom });
  const none = limitedToNone.map((name) => `${name} none`);
  return [...(bounded === "nothing" ? [] : [bounded]), ...none].join(", ");
}

export function roleJson(role: RoleRecord) {
  return {
    role: role.role,
    weight: role.weightMillis / 1_000,
    dominantShare: role.dominantShareMillionths / 1_000_000,
    allocated: role.allocated,
    offered: role.offered,
    guarantee: role.guarantee,
    limit: role.limit,
    limitedToNone: role.limitedToNone,
    frameworks: role.frameworkIds,
  };
}

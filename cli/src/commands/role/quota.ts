import { formatResources, noResources } from "@muster/foundation";
import { CliError, usageError } from "../../cli-error.ts";
import type { CommandModule, Invocation } from "../../command.ts";
import { type Client, message, withClient } from "../../connect/client.ts";
import { exitCode } from "../../exit-codes.ts";
import { parseAmounts } from "./amounts.ts";
import { limitText, roleJson } from "./list.ts";

export const run: CommandModule["run"] = (invocation) => {
  const { options } = invocation;
  const [guarantee, limit] = [options.text("guarantee"), options.text("limit")];
  const removes = options.flag("remove");
  if (removes && (guarantee !== undefined || limit !== undefined))
    throw usageError("--remove takes the quota away: it goes with neither --guarantee nor --limit");
  if (!removes && guarantee === undefined && limit === undefined)
    return withClient(invocation, (client) => show(invocation, client));
  const promised = guarantee === undefined ? undefined : parseAmounts("--guarantee", guarantee);
  const most = limit === undefined ? undefined : parseAmounts("--limit", limit);
  return withClient(invocation, async (client) => {
    const { out } = invocation;
    const role = invocation.args[0] ?? "";
    const dryRun = options.flag("dryRun");
    const request = message("SetQuotaRequest", {
      role,
      guarantee: promised?.resources ?? null,
      limit: most?.resources ?? null,
      limitedToNone: [...(most?.zeroes ?? [])],
      force: options.flag("force"),
      dryRun,
    });
    const { offersRescinded, allocated } = await client.call("Operator.SetQuota", request);
    const { limitedToNone } = request;
    out.data({
      role,
      guarantee: request.guarantee,
      limit: request.limit,
      limitedToNone,
      allocated,
      offersRescinded,
      dryRun,
    });
    const verb = removes ? "has no quota any more" : "has the quota";
    out.line(dryRun ? `${role}: nothing was changed, it could be done` : `${role} ${verb}`);
    out.line(`it uses ${formatResources(allocated ?? noResources)}`);
    if (offersRescinded > 0) out.line(`${offersRescinded} offers ${dryRun ? "would be" : "are"} rescinded`);
    out.next(`muster role explain ${role}`);
    return exitCode.done;
  });
};

async function show({ out, args }: Invocation, client: Client): Promise<number> {
  const { roles } = await client.call("Operator.ListRoles", message("ListRolesRequest"));
  const role = roles.find((each) => each.role === args[0]);
  if (role === undefined)
    throw new CliError(exitCode.failed, `no role "${args[0]}"`, { kind: "not-found", hint: "muster role list" });
  out.data(roleJson(role));
  out.line(`guarantee  ${role.guarantee ? formatResources(role.guarantee) : "none"}`);
  out.line(`limit      ${role.limit ? limitText(role) : "none"}`);
  out.line(`uses       ${formatResources(role.allocated ?? noResources)}`);
  out.line(`offered    ${formatResources(role.offered ?? noResources)}`);
  out.next(`muster role explain ${role.role}`);
  return exitCode.done;
}

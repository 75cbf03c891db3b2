import type { RoleReason } from "@muster/proto";
import type { CommandModule } from "../../command.ts";
import { message, withClient } from "../../connect/client.ts";
import { exitCode } from "../../exit-codes.ts";
import { table } from "../../output/table.ts";
import { limitText, roleJson } from "./list.ts";

/** Roles ahead that are worth a line to people. */
const aheadShown = 5;

export const run: CommandModule["run"] = (invocation) =>
  withClient(invocation, async (client) => {
    const { out } = invocation;
    const role = invocation.args[0] ?? "";
    const answer = await client.call("Operator.ExplainRole", message("ExplainRoleRequest", { role }));
    const { reasons, agentCount, eagerCount, ahead } = answer;
    out.data({ role: answer.role && roleJson(answer.role), reasons, agentCount, eagerCount, ahead });
    out.line(`${role}: ${eagerCount} of its frameworks want offers, of ${agentCount} agents`);
    if (answer.role && answer.role.limit !== null) out.line(`limit: ${limitText(answer.role)}`);
    if (reasons.length === 0) out.line("nothing stands in its way");
    else {
      const rows = reasons.map((reason) => [reason.agentCount === 0 ? "-" : String(reason.agentCount), words(reason)]);
      out.line(`\n${table(["AGENTS", "WHY"], rows)}`);
    }
    if (ahead.length > 0) {
      const shown = ahead
        .slice(0, aheadShown)
        .map(({ role: name, shareMillionths }) => `${name} (${percent(shareMillionths)})`);
      const more = ahead.length > shown.length ? ` and ${ahead.length - shown.length} more` : "";
      out.line(`\nasked before it, by their shares: ${shown.join(", ")}${more}`);
    }
    out.next("muster role list");
    return exitCode.done;
  });

function words({ message: text, remainingMs }: RoleReason): string {
  return remainingMs > 0 ? `${text}: ${Math.ceil(remainingMs / 1_000)} s are left` : text;
}

function percent(millionths: number): string {
  return `${(millionths / 10_000).toFixed(1)} %`;
}

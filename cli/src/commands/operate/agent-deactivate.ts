import type { CommandModule } from "../../command.ts";
import { message, withClient } from "../../connect/client.ts";
import { exitCode } from "../../exit-codes.ts";
import { affectedJson, affectedText } from "./affected.ts";
import { findAgent } from "./find.ts";

export const run: CommandModule["run"] = (invocation) =>
  withClient(invocation, async (client) => {
    const { out, options } = invocation;
    const { agentId, name } = await findAgent(client, invocation.args[0] ?? "");
    const dryRun = options.flag("dryRun");
    const { affected } = await client.call("Operator.Deactivate", message("DeactivateRequest", { agentId, dryRun }));
    out.data({ id: agentId, name, dryRun, ...affectedJson(affected) });
    const verb = dryRun ? "would be" : "is";
    out.line(`${name} ${verb} deactivated: nothing of it is offered; running on: ${affectedText(affected)}`);
    out.next(dryRun ? `muster agent deactivate ${name}` : `muster agent reactivate ${name}`);
    return exitCode.done;
  });

import type { CommandModule } from "../../command.ts";
import { confirmed } from "../../connect/ask.ts";
import { message, withClient } from "../../connect/client.ts";
import { exitCode } from "../../exit-codes.ts";
import { affectedJson, affectedText } from "./affected.ts";
import { findAgent } from "./find.ts";

export const run: CommandModule["run"] = (invocation) =>
  withClient(invocation, async (client) => {
    const { out, options } = invocation;
    const { agentId, name } = await findAgent(client, invocation.args[0] ?? "");
    const mark = (dryRun: boolean) => client.call("Operator.MarkGone", message("MarkGoneRequest", { agentId, dryRun }));
    const { affected } = await mark(true);
    const dryRun = options.flag("dryRun");
    if (!dryRun) {
      const effect = `this ends ${affectedText(affected)} on ${name}, which is refused for ever from then on`;
      if (!(await confirmed(invocation, effect))) {
        out.say("nothing was done");
        return exitCode.failed;
      }
      await mark(false);
    }
    out.data({ id: agentId, name, dryRun, ...affectedJson(affected) });
    out.line(`${name} ${dryRun ? "would be" : "is"} gone: ${affectedText(affected)}`);
    out.next(dryRun ? `muster agent gone ${name}` : "muster agent list");
    return exitCode.done;
  });

import type { CommandModule } from "../../command.ts";
import { confirmed } from "../../connect/ask.ts";
import { message, withClient } from "../../connect/client.ts";
import { exitCode } from "../../exit-codes.ts";
import { findAgent } from "../operate/find.ts";
import { rescindedText } from "./rescinded.ts";

export const run: CommandModule["run"] = (invocation) =>
  withClient(invocation, async (client) => {
    const { out, options, args } = invocation;
    const [given = "", volumeId = ""] = args;
    const { agentId, name } = await findAgent(client, given);
    const isDry = options.flag("dryRun");
    const destroy = (dryRun: boolean) =>
      client.call("Operator.DestroyVolume", message("DestroyVolumeRequest", { agentId, volumeId, dryRun }), 60_000);
    const tried = await destroy(true);
    if (!isDry && !(await confirmed(invocation, `this removes all data of volume ${volumeId} on ${name}, for ever`))) {
      out.say("nothing was done");
      return exitCode.failed;
    }
    const { offersRescinded } = isDry ? tried : await destroy(false);
    out.data({ id: volumeId, agentId, agent: name, offersRescinded, dryRun: isDry });
    out.line(`${volumeId} ${isDry ? "could be" : "is"} removed from ${name}, with its data`);
    out.line(rescindedText(offersRescinded, isDry));
    out.next("muster volume list");
    return exitCode.done;
  });

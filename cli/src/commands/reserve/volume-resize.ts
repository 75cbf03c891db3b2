import type { CommandModule } from "../../command.ts";
import { message, withClient } from "../../connect/client.ts";
import { exitCode } from "../../exit-codes.ts";
import { findAgent } from "../operate/find.ts";
import { rescindedText } from "./rescinded.ts";
import { sizeMiB } from "./volume-size.ts";

export const run: CommandModule["run"] = (invocation) => {
  const { out, options, args } = invocation;
  const [given = "", volumeId = ""] = args;
  const diskMiB = sizeMiB(options);
  const dryRun = options.flag("dryRun");
  return withClient(invocation, async (client) => {
    const { agentId, name } = await findAgent(client, given);
    const request = message("ResizeVolumeRequest", { agentId, volumeId, diskMiB, dryRun });
    const { offersRescinded } = await client.call("Operator.ResizeVolume", request);
    out.data({ id: volumeId, agentId, agent: name, diskMiB, offersRescinded, dryRun });
    out.line(`${volumeId} on ${name} ${dryRun ? "could have" : "has"} ${diskMiB} MiB`);
    out.line(rescindedText(offersRescinded, dryRun));
    out.next("muster volume list");
    return exitCode.done;
  });
};

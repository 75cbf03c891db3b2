import { usageError } from "../../cli-error.ts";
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
  const [role = "", named = ""] = [options.text("role"), options.text("reservation")];
  if (role === "" && named === "")
    throw usageError("a volume lies in what is reserved: say for which role", "--role eng, or --reservation ID");
  const dryRun = options.flag("dryRun");
  return withClient(invocation, async (client) => {
    const { agentId, name } = await findAgent(client, given);
    const wish = { agentId, role, volumeId, diskMiB, reservationId: named, dryRun };
    const request = message("CreateVolumeRequest", wish);
    const { reservationId, offersRescinded } = await client.call("Operator.CreateVolume", request);
    out.data({ id: volumeId, agentId, agent: name, diskMiB, reservationId, offersRescinded, dryRun });
    out.line(`${volumeId} ${dryRun ? "could be made" : "is there"}: ${diskMiB} MiB of ${reservationId} on ${name}`);
    out.line(rescindedText(offersRescinded, dryRun));
    out.next("muster volume list");
    return exitCode.done;
  });
};

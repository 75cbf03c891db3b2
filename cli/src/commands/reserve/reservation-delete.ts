import type { CommandModule } from "../../command.ts";
import { message, withClient } from "../../connect/client.ts";
import { exitCode } from "../../exit-codes.ts";
import { rescindedText } from "./rescinded.ts";

export const run: CommandModule["run"] = (invocation) =>
  withClient(invocation, async (client) => {
    const { out, options, args } = invocation;
    const reservationId = args[0] ?? "";
    const dryRun = options.flag("dryRun");
    const request = message("UnreserveRequest", { reservationId, dryRun });
    const { offersRescinded } = await client.call("Operator.Unreserve", request);
    out.data({ id: reservationId, offersRescinded, dryRun });
    out.line(`${reservationId} ${dryRun ? "could be" : "is"} given back to all roles`);
    out.line(rescindedText(offersRescinded, dryRun));
    out.next(dryRun ? `muster reservation delete ${reservationId}` : "muster reservation list");
    return exitCode.done;
  });

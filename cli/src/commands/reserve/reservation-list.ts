import { formatResources } from "@muster/foundation";
import type { CommandModule } from "../../command.ts";
import { withClient } from "../../connect/client.ts";
import { exitCode } from "../../exit-codes.ts";
import { table } from "../../output/table.ts";
import { listed, reservationJson } from "./listed.ts";

export const run: CommandModule["run"] = (invocation) =>
  withClient(invocation, async (client) => {
    const { out } = invocation;
    const found = (await listed(client, invocation)).map(reservationJson);
    out.data({ reservations: found });
    if (found.length === 0) out.line("nothing is reserved");
    else
      out.line(
        table(
          ["ROLE", "AGENT", "RESERVED", "IDLE", "VOLUMES", "FROM", "ID"],
          found.map((one) => [
            one.role,
            one.agent,
            formatResources(one.resources),
            formatResources(one.idle),
            String(one.volumes.length),
            originOf(one),
            one.id,
          ]),
        ),
      );
    out.next("muster reservation create <agent> <role> cpu=1,memory=1024");
    return exitCode.done;
  });

function originOf(one: ReturnType<typeof reservationJson>): string {
  if (one.static) return "the agent's settings";
  return one.refinedId === "" ? "free resources" : one.refinedId;
}

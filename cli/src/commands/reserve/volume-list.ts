import type { CommandModule } from "../../command.ts";
import { withClient } from "../../connect/client.ts";
import { exitCode } from "../../exit-codes.ts";
import { table } from "../../output/table.ts";
import { listed, reservationJson } from "./listed.ts";

export const run: CommandModule["run"] = (invocation) =>
  withClient(invocation, async (client) => {
    const { out } = invocation;
    const reservations = (await listed(client, invocation)).map(reservationJson);
    const volumes = reservations.flatMap(({ id, role, agent, agentId, volumes: own }) =>
      own.map((volume) => ({ ...volume, role, agent, agentId, reservationId: id })),
    );
    out.data({ volumes });
    if (volumes.length === 0) out.line("there are no volumes");
    else
      out.line(
        table(
          ["VOLUME", "SIZE", "AGENT", "ROLE", "USED BY", "RESERVATION"],
          volumes.map((one) => [
            one.id,
            `${one.diskMiB} MiB`,
            one.agent,
            one.role,
            one.launchId || "-",
            one.reservationId,
          ]),
        ),
      );
    out.next("muster volume create <agent> <volume> --size 1024 --role <role>");
    return exitCode.done;
  });

import { formatResources, noResources } from "@muster/foundation";
import type { CommandModule } from "../command.ts";
import { message, withClient } from "../connect/client.ts";
import { exitCode } from "../exit-codes.ts";
import { table } from "../output/table.ts";
import { rfc3339, timeText } from "../output/times.ts";

export const run: CommandModule["run"] = (invocation) =>
  withClient(invocation, async (client) => {
    const { out } = invocation;
    const { offers } = await client.call("Operator.ListOffers", message("ListOffersRequest"));
    out.data(
      offers.map((offer) => ({
        id: offer.offerId,
        agent: offer.agentName,
        framework: offer.frameworkName,
        role: offer.role,
        resources: offer.resources,
        offeredAt: rfc3339(offer.offeredAt),
      })),
    );
    const nowMs = Date.now();
    if (offers.length === 0) out.line("no offers: every framework has what it wants, or nothing is free");
    else
      out.line(
        table(
          ["OFFER", "AGENT", "FRAMEWORK", "ROLE", "RESOURCES", "HELD"],
          offers.map((offer) => [
            offer.offerId,
            offer.agentName,
            offer.frameworkName,
            offer.role,
            formatResources(offer.resources ?? noResources),
            timeText(offer.offeredAt, nowMs, out.isTerminal),
          ]),
        ),
      );
    out.next("muster framework list");
    return exitCode.done;
  });

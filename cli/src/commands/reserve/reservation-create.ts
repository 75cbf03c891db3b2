import { formatResources } from "@muster/foundation";
import { usageError } from "../../cli-error.ts";
import type { CommandModule } from "../../command.ts";
import { message, withClient } from "../../connect/client.ts";
import { exitCode } from "../../exit-codes.ts";
import { findAgent } from "../operate/find.ts";
import { parseAmounts } from "../role/amounts.ts";
import { rescindedText } from "./rescinded.ts";

export const run: CommandModule["run"] = (invocation) => {
  const { out, options, args } = invocation;
  const [given = "", role = "", amounts = ""] = args;
  const { resources } = parseAmounts("<amounts>", amounts);
  const labels = labelsOf(options.list("label"));
  const dryRun = options.flag("dryRun");
  return withClient(invocation, async (client) => {
    const { agentId, name } = await findAgent(client, given);
    const refinedId = options.text("refine") ?? "";
    const wish = { agentId, role, resources, labels, refinedId, dryRun };
    const { reservationId, offersRescinded } = await client.call("Operator.Reserve", message("ReserveRequest", wish));
    out.data({ id: reservationId, agentId, agent: name, role, resources, refinedId, labels, offersRescinded, dryRun });
    const what = `${formatResources(resources)} of ${name}`;
    out.line(dryRun ? `${what} could be reserved for ${role}` : `${what} is reserved for ${role}: ${reservationId}`);
    out.line(rescindedText(offersRescinded, dryRun));
    out.next(dryRun ? `muster reservation create ${name} ${role} ${amounts}` : "muster reservation list");
    return exitCode.done;
  });
};

function labelsOf(given: readonly string[]): Record<string, string> {
  const labels: Record<string, string> = {};
  for (const text of given) {
    const at = text.indexOf("=");
    if (at < 1) throw usageError(`--label: "${text}" is no label`, "for instance --label owner=db");
    labels[text.slice(0, at)] = text.slice(at + 1);
  }
  return labels;
}

import { AgentStanding } from "@muster/proto";
import type { CommandModule } from "../../command.ts";
import { message, withClient } from "../../connect/client.ts";
import { exitCode } from "../../exit-codes.ts";
import { enumWord } from "../../output/states.ts";
import { findAgent } from "./find.ts";

export const run: CommandModule["run"] = (invocation) =>
  withClient(invocation, async (client) => {
    const { out, options } = invocation;
    const { agentId, name, standing } = await findAgent(client, invocation.args[0] ?? "");
    const dryRun = options.flag("dryRun");
    const before = enumWord(AgentStanding, standing, "AGENT_STANDING_");
    await client.call("Operator.Reactivate", message("ReactivateRequest", { agentId, dryRun }));
    out.data({ id: agentId, name, dryRun, before });
    out.line(`${name} ${dryRun ? "would be" : "is"} offered again; it was ${before}`);
    out.next(`muster agent status ${name}`);
    return exitCode.done;
  });

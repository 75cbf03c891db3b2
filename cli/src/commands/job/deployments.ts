import { DeploymentState } from "@muster/proto";
import type { CommandModule } from "../../command.ts";
import { message, withClient } from "../../connect/client.ts";
import { exitCode } from "../../exit-codes.ts";
import { stateText } from "../../output/states.ts";
import { table } from "../../output/table.ts";
import { timeText } from "../../output/times.ts";
import { deploymentJson, deploymentWord, groupText } from "./deployment-words.ts";
import { summaryOf } from "./describe.ts";
import { findJob } from "./find.ts";

export const run: CommandModule["run"] = (invocation) =>
  withClient(invocation, async (client) => {
    const { out } = invocation;
    const { name } = summaryOf(await findJob(client, invocation.args[0] ?? ""));
    const { deployments } = await client.call("Jobs.Deployments", message("DeploymentsRequest", { name }));
    out.data(deployments.map(deploymentJson));
    const nowMs = Date.now();
    out.line(
      table(
        ["VERSION", "STATUS", "BEGAN", "ENDED", "GROUPS", "REASON"],
        deployments.map((one) => [
          `v${one.version}`,
          stateText(deploymentWord(one), out.style),
          timeText(one.startedAt, nowMs, out.isTerminal),
          one.endedAt === 0 ? "-" : timeText(one.endedAt, nowMs, out.isTerminal),
          one.groups.map(groupText).join(", ") || "-",
          one.reason || "-",
        ]),
      ),
    );
    const awaits = deployments[0]?.state === DeploymentState.DEPLOYMENT_STATE_AWAITING_PROMOTION;
    out.next(awaits ? `muster job promote ${name}` : `muster job history ${name}`);
    return exitCode.done;
  });

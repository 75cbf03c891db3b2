import type { InstanceMove } from "@muster/proto";
import type { CommandModule } from "../../command.ts";
import { confirmed } from "../../connect/ask.ts";
import { message, withClient } from "../../connect/client.ts";
import { exitCode } from "../../exit-codes.ts";
import type { Output } from "../../output/output.ts";
import { table } from "../../output/table.ts";
import { summaryOf } from "./describe.ts";
import { findJob } from "./find.ts";

export const run: CommandModule["run"] = (invocation) =>
  withClient(invocation, async (client) => {
    const { out, options, args } = invocation;
    const [given] = args;
    const name = given === undefined ? "" : summaryOf(await findJob(client, given)).name;
    const movesMax = options.integer("limit") ?? 0;
    const ask = (dryRun: boolean) =>
      client.call("Jobs.Rebalance", message("RebalanceRequest", { name, dryRun, movesMax }));
    const plan = await ask(true);
    const isPlan = options.flag("plan") || plan.moves.length === 0;
    if (!isPlan) {
      showMoves(plan.moves, out);
      const count = plan.moves.length === 1 ? "1 instance" : `${plan.moves.length} instances`;
      if (!(await confirmed(invocation, `this moves ${count} to other agents`))) {
        out.say("nothing was done");
        return exitCode.failed;
      }
    }
    const { moves, remarks } = isPlan ? plan : await ask(false);
    for (const remark of remarks) out.warn(remark);
    out.data({ moves: moves.map(moveJson), begun: !isPlan });
    if (isPlan) showMoves(moves, out);
    else out.line(moves.length === 1 ? "1 instance moves" : `${moves.length} instances move, by and by`);
    if (moves[0]) out.next(isPlan ? `muster job rebalance ${name}`.trimEnd() : `muster job status ${moves[0].job}`);
    return exitCode.done;
  });

function showMoves(moves: readonly InstanceMove[], out: Output): void {
  if (moves.length === 0) {
    out.line("nothing to move: instances are as well distributed as can be");
    return;
  }
  const rows = moves.map((one) => [one.instance, one.fromAgentName, one.toAgentName, one.reason]);
  out.line(table(["INSTANCE", "FROM", "TO", "WHY"], rows));
}

function moveJson({ job, instance, fromAgentId, fromAgentName, toAgentId, toAgentName, reason }: InstanceMove) {
  return { job, instance, from: fromAgentName || fromAgentId, to: toAgentName || toAgentId, reason };
}

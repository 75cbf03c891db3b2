import type { CommandModule } from "../../command.ts";
import { message, withClient } from "../../connect/client.ts";
import { exitCode } from "../../exit-codes.ts";
import { uniquePrefix } from "../job/find.ts";
import { affectedJson, plural } from "./affected.ts";
import { changePlan } from "./maintenance-plan.ts";

export const run: CommandModule["run"] = (invocation) =>
  withClient(invocation, async (client) => {
    const { out, options } = invocation;
    const { agents } = await client.call("Operator.ListAgents", message("ListAgentsRequest"));
    const given = invocation.args[0] ?? "";
    const dryRun = options.flag("dryRun");
    let agentId = "";
    const { affected, before, after } = await changePlan(client, dryRun, (windows) => {
      // An agent that has left is known by the id that the plan has.
      const ids = [...new Set([...agents.map((agent) => agent.agentId), ...windows.map((window) => window.agentId)])];
      const named = agents.filter(({ name }) => name.startsWith(given));
      const exact = agents.find(({ name }) => name === given) ?? (named.length === 1 ? named[0] : undefined);
      agentId = exact?.agentId ?? uniquePrefix("agent", given, ids, "muster maintenance list");
      return windows.filter((window) => window.agentId !== agentId);
    });
    const count = before.length - after.length;
    const agent = agents.find((one) => one.agentId === agentId)?.name ?? agentId;
    out.data({ agentId, agent, windows: count, dryRun, ...affectedJson(affected) });
    out.line(`${plural(count, "window")} of ${agent} ${dryRun ? "would leave" : "left"} the plan`);
    out.next("muster maintenance list");
    return exitCode.done;
  });

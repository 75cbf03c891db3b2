import type { CommandModule } from "../../command.ts";
import { withClient } from "../../connect/client.ts";
import { runBeside } from "../task/exec-session.ts";
import { groupsOfSeveral, instanceName } from "./describe.ts";
import { findJob } from "./find.ts";
import { chooseInstances, firstRunning, frameworkOf } from "./instances.ts";

export const run: CommandModule["run"] = (invocation) =>
  withClient(invocation, async (client) => {
    const { out, args, options } = invocation;
    const [name = "", ...command] = args;
    const job = await findJob(client, name);
    const instance = firstRunning(job, chooseInstances(job, options.text("instance")));
    const { agentName, taskId } = instance;
    const shown = instanceName(instance, groupsOfSeveral(job));
    const frameworkId = await frameworkOf(client, taskId);
    out.say(`${shown} on ${agentName}`);
    return runBeside(client, invocation, { frameworkId, taskId, name: shown, command });
  });

import type { CommandModule } from "../../command.ts";
import { withClient } from "../../connect/client.ts";
import { exitCode } from "../../exit-codes.ts";
import { printLogs } from "../task/log-stream.ts";
import { groupsOfSeveral, instanceName, summaryOf } from "./describe.ts";
import { findJob } from "./find.ts";
import { chooseInstances, frameworkOf } from "./instances.ts";

export const run: CommandModule["run"] = (invocation) =>
  withClient(invocation, async (client) => {
    const { out, options } = invocation;
    const job = await findJob(client, invocation.args[0] ?? "");
    const { name } = summaryOf(job);
    const instances = chooseInstances(job, options.text("instance"));
    if (instances.length === 0) {
      out.say(`${name} has no tasks yet`);
      out.data({ instance: null, stream: null, text: "" });
      return exitCode.done;
    }
    const several = groupsOfSeveral(job);
    const sources = await Promise.all(
      instances.map(async (instance) => ({
        frameworkId: await frameworkOf(client, instance.taskId),
        taskId: instance.taskId,
        name: instanceName(instance, several),
      })),
    );
    return printLogs(client, invocation, sources);
  });

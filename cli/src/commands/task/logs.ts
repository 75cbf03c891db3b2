import type { CommandModule } from "../../command.ts";
import { withClient } from "../../connect/client.ts";
import { findTask } from "./find.ts";
import { printLogs } from "./log-stream.ts";

export const run: CommandModule["run"] = (invocation) =>
  withClient(invocation, async (client) => {
    const { args, options } = invocation;
    const { frameworkId, taskId } = await findTask(client, args[0] ?? "", options.text("framework"));
    return printLogs(client, invocation, [{ frameworkId, taskId, name: taskId }]);
  });

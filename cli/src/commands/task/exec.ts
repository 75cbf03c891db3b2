import type { CommandModule } from "../../command.ts";
import { withClient } from "../../connect/client.ts";
import { runBeside } from "./exec-session.ts";
import { findTask } from "./find.ts";

export const run: CommandModule["run"] = (invocation) =>
  withClient(invocation, async (client) => {
    const [given = "", ...command] = invocation.args;
    const { frameworkId, taskId } = await findTask(client, given, invocation.options.text("framework"));
    return runBeside(client, invocation, { frameworkId, taskId, name: taskId, command });
  });

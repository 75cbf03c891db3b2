import type { CommandModule } from "../../command.ts";
import { confirmed } from "../../connect/ask.ts";
import { message, withClient } from "../../connect/client.ts";
import { exitCode } from "../../exit-codes.ts";
import { framework, keyPath } from "./path.ts";

export const run: CommandModule["run"] = (invocation) =>
  withClient(invocation, async (client) => {
    const { out } = invocation;
    const path = keyPath(invocation.args[0] ?? "");
    const { entry } = await client.call("State.Get", message("StateGetRequest", { framework, key: path }));
    if (!(await confirmed(invocation, `this deletes key ${path}, version ${entry?.version ?? 0}`))) {
      out.say("nothing was done");
      return exitCode.failed;
    }
    const change = message("StateChange", { key: path, delete: true });
    await client.call("State.Transact", message("StateTransactRequest", { framework, changes: [change] }));
    out.data({ path });
    out.line(`${path} is deleted`);
    out.next("muster key list");
    return exitCode.done;
  });

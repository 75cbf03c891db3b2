import type { CommandModule } from "../../command.ts";
import { confirmed } from "../../connect/ask.ts";
import { message, withClient } from "../../connect/client.ts";
import { exitCode } from "../../exit-codes.ts";
import { affectedJson, affectedText } from "./affected.ts";
import { findFramework } from "./find.ts";

export const run: CommandModule["run"] = (invocation) =>
  withClient(invocation, async (client) => {
    const { out, options } = invocation;
    const { frameworkId, name } = await findFramework(client, invocation.args[0] ?? "");
    const tearDown = (dryRun: boolean) =>
      client.call("Operator.TeardownFramework", message("TeardownFrameworkRequest", { frameworkId, dryRun }));
    const { affected } = await tearDown(true);
    const dryRun = options.flag("dryRun");
    if (!dryRun) {
      if (!(await confirmed(invocation, `this ends ${name} for ever, with ${affectedText(affected)}`))) {
        out.say("nothing was done");
        return exitCode.failed;
      }
      await tearDown(false);
    }
    out.data({ id: frameworkId, name, dryRun, ...affectedJson(affected) });
    out.line(`${name} ${dryRun ? "would be" : "is"} torn down: ${affectedText(affected)}`);
    out.next(dryRun ? `muster framework teardown ${frameworkId}` : "muster framework list");
    return exitCode.done;
  });

import type { CommandModule } from "../../command.ts";
import { confirmed } from "../../connect/ask.ts";
import { message, withClient } from "../../connect/client.ts";
import { exitCode } from "../../exit-codes.ts";
import { affectedJson, affectedText } from "./affected.ts";
import { outcomeCodes, waitForDrain } from "./drain-wait.ts";
import { findAgent } from "./find.ts";

/** Without --deadline frameworks have so long to move their tasks. */
const deadlineMsDefault = 3_600_000;
/** Beyond the deadline tasks get their grace, and their ends have to be acknowledged. */
const afterDeadlineMs = 300_000;

export const run: CommandModule["run"] = (invocation) =>
  withClient(invocation, async (client) => {
    const { out, options } = invocation;
    const { agentId, name } = await findAgent(client, invocation.args[0] ?? "");
    const deadlineMs = options.durationMs("deadline") ?? deadlineMsDefault;
    const graceMsMax = options.durationMs("grace");
    const markGone = options.flag("markGone");
    const dryRun = options.flag("dryRun");
    const wish = { agentId, deadlineMs, markGone, ...(graceMsMax === undefined ? {} : { graceMsMax }) };
    const drain = (dry: boolean) => client.call("Operator.Drain", message("DrainRequest", { ...wish, dryRun: dry }));
    const { affected } = await drain(true);
    const facts = { id: agentId, name, dryRun, deadlineMs, markGone, ...affectedJson(affected) };
    if (dryRun) {
      out.data({ ...facts, outcome: "dry-run" });
      out.line(`${name} would be drained: ${affectedText(affected)}`);
      out.next(`muster agent drain ${name}`);
      return exitCode.done;
    }
    const effect = `this moves ${affectedText(affected)} away from ${name}${markGone ? ", which is gone for ever then" : ""}`;
    if (!(await confirmed(invocation, effect))) {
      out.say("nothing was done");
      return exitCode.failed;
    }
    await drain(false);
    if (options.flag("detach")) {
      out.data({ ...facts, outcome: "detached" });
      out.line(`${name} is being drained: ${affectedText(affected)}`);
      out.next(`muster agent status ${name}`);
      return exitCode.done;
    }
    const timeoutMs = options.durationMs("timeout") ?? deadlineMs + afterDeadlineMs;
    const outcome = await waitForDrain(client, out, { agentId, name, timeoutMs });
    out.data({ ...facts, outcome });
    if (outcome === "drained") out.line(`${name} is drained`);
    else if (outcome === "gone") out.line(`${name} is gone`);
    else if (outcome === "reactivated") out.say(`somebody has called the drain of ${name} off`);
    else out.say(`${name} is still being drained`);
    out.next(outcome === "gone" ? "muster agent list" : `muster agent status ${name}`);
    return outcomeCodes[outcome];
  });

import type { CommandModule } from "../../command.ts";
import { message, withClient } from "../../connect/client.ts";
import { exitCode } from "../../exit-codes.ts";
import { framework, keyPath } from "./path.ts";

export const run: CommandModule["run"] = (invocation) =>
  withClient(invocation, async (client) => {
    const { out } = invocation;
    const path = keyPath(invocation.args[0] ?? "");
    const { entry } = await client.call("State.Get", message("StateGetRequest", { framework, key: path }));
    const value = entry?.value.toString("utf8") ?? "";
    out.data({ path, version: entry?.version ?? 0, value });
    if (!out.json) out.raw(value.endsWith("\n") || !out.isTerminal ? value : `${value}\n`);
    return exitCode.done;
  });

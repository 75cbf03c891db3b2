import { readFileSync } from "node:fs";
import type { CommandModule } from "../../command.ts";
import { message, withClient } from "../../connect/client.ts";
import { exitCode } from "../../exit-codes.ts";
import { framework, keyPath } from "./path.ts";

export const run: CommandModule["run"] = (invocation) => {
  const { out, options, args } = invocation;
  const path = keyPath(args[0] ?? "");
  const put = args[1] === "-" ? readFileSync(0) : Buffer.from(args[1] ?? "");
  const version = options.integer("checkVersion");
  return withClient(invocation, async (client) => {
    const change = { ...message("StateChange", { key: path, put }), ...(version === undefined ? {} : { version }) };
    const request = message("StateTransactRequest", { framework, changes: [change] });
    const { versions } = await client.call("State.Transact", request);
    out.data({ path, version: versions[0] ?? 0, bytes: put.length });
    out.line(`${path} is set: version ${versions[0] ?? 0}, ${put.length} byte${put.length === 1 ? "" : "s"}`);
    out.next(`muster key get ${path}`);
    return exitCode.done;
  });
};

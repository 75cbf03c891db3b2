import type { StateEntry } from "@muster/proto";
import type { CommandModule } from "../../command.ts";
import { message, withClient } from "../../connect/client.ts";
import { exitCode } from "../../exit-codes.ts";
import { table } from "../../output/table.ts";
import { folderPath, framework } from "./path.ts";

export const run: CommandModule["run"] = (invocation) =>
  withClient(invocation, async (client) => {
    const { out } = invocation;
    const folder = folderPath(invocation.args[0] ?? "");
    const found: StateEntry[] = [];
    for (let after = "", more = true; more; after = found.at(-1)?.key ?? "") {
      const prefix = folder === "" ? "" : `${folder}/`;
      const page = await client.call("State.List", message("StateListRequest", { framework, prefix, after }));
      found.push(...page.entries);
      more = page.more && page.entries.length > 0;
    }
    out.data(found.map(({ key, version, value }) => ({ path: key, version, bytes: value.length })));
    if (found.length === 0) out.line(folder === "" ? "no keys" : `no keys below ${folder}`);
    else
      out.line(
        table(
          ["KEY", "VERSION", "BYTES"],
          found.map(({ key, version, value }) => [key, String(version), String(value.length)]),
        ),
      );
    out.next(found[0] ? `muster key get ${found[0].key}` : "muster key set app/color blue");
    return exitCode.done;
  });

import type { SnapshotResponse } from "@muster/proto";
import type { CommandModule } from "../../command.ts";
import { message, withClient } from "../../connect/client.ts";
import { exitCode } from "../../exit-codes.ts";

const kinds = ["agents", "frameworks", "tasks", "offers", "overlays", "maintenance"] as const;

export const run: CommandModule["run"] = (invocation) =>
  withClient(invocation, async (client) => {
    const { out } = invocation;
    const counts = new Map<string, number>();
    const tell = (kind: string, record: unknown): void => {
      counts.set(kind, (counts.get(kind) ?? 0) + 1);
      if (out.json) out.data({ kind, record });
      else out.raw(`${JSON.stringify({ kind, record })}\n`);
    };
    const take = (part: SnapshotResponse): void => {
      if (part.master) tell("master", part.master);
      for (const kind of kinds) for (const record of part[kind]) tell(kind, record);
    };
    const error = await client.follow("Operator.Snapshot", message("SnapshotRequest"), take).ended;
    if (error) throw error;
    out.say(kinds.map((kind) => `${counts.get(kind) ?? 0} ${kind}`).join(", "));
    out.next("muster operator check");
    return exitCode.done;
  });

import { SteerAction } from "@muster/proto";
import type { CommandModule } from "../../command.ts";
import { message, withClient } from "../../connect/client.ts";
import { exitCode } from "../../exit-codes.ts";
import { summaryOf } from "./describe.ts";
import { findJob } from "./find.ts";

const steers = {
  pause: { action: SteerAction.STEER_ACTION_PAUSE, told: "takes no further step", next: "resume" },
  resume: { action: SteerAction.STEER_ACTION_RESUME, told: "goes on", next: "status" },
  cancel: { action: SteerAction.STEER_ACTION_CANCEL, told: "is cancelled", next: "status" },
} as const;

/** `job pause`, `job resume`, `job cancel`: one call, told in other words. */
export const steering = (verb: keyof typeof steers): CommandModule => ({
  run: (invocation) =>
    withClient(invocation, async (client) => {
      const { out } = invocation;
      const { action, told, next } = steers[verb];
      const { name, version: before } = summaryOf(await findJob(client, invocation.args[0] ?? ""));
      const { version } = await client.call("Jobs.Steer", message("SteerRequest", { name, action }));
      out.data({ name, version, versionBefore: before });
      const back = version > before ? `; it goes back to what was healthy, as v${version}` : "";
      out.line(`${name} v${before} ${told}${back}`);
      out.next(`muster job ${next} ${name}`);
      return exitCode.done;
    }),
});

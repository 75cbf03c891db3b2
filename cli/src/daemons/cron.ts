import { createCron } from "@muster/cron";
import { grpcTransport, systemClock, systemRandom } from "@muster/foundation";
import type { CommandModule } from "../command.ts";
import { version } from "../version.ts";
import { schemas } from "./schemas.ts";
import { componentLog, settingsOf } from "./settings.ts";
import { runComponent } from "./supervised.ts";

export const run: CommandModule["run"] = (invocation) => {
  const settings = settingsOf(schemas.cron, invocation);
  const log = componentLog("cron", settings.logLevel);
  return runComponent(invocation, log, (lifecycle) => {
    const transport = grpcTransport();
    const cron = createCron(
      { clock: systemClock, random: systemRandom, transport, log },
      { address: settings.master, version },
    );
    cron.start();
    lifecycle.ready();
    return {
      stop: (done) =>
        cron.stop(() => {
          transport.close();
          done();
        }),
    };
  });
};

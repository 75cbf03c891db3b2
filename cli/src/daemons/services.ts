import { grpcTransport, systemClock, systemRandom } from "@muster/foundation";
import { createServices } from "@muster/services";
import type { CommandModule } from "../command.ts";
import { version } from "../version.ts";
import { schemas } from "./schemas.ts";
import { componentLog, settingsOf } from "./settings.ts";
import { runComponent } from "./supervised.ts";

export const run: CommandModule["run"] = (invocation) => {
  const settings = settingsOf(schemas.services, invocation);
  const log = componentLog("services", settings.logLevel);
  return runComponent(invocation, log, (lifecycle) => {
    const transport = grpcTransport();
    const services = createServices(
      { clock: systemClock, random: systemRandom, transport, log },
      { address: settings.master, version, failed: (error) => lifecycle.fail(error) },
    );
    services.start();
    lifecycle.ready();
    return {
      stop: (done) =>
        services.stop(() => {
          transport.close();
          done();
        }),
    };
  });
};

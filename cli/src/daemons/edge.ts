import { serveEdge } from "@muster/dashboard";
import { usageError } from "../cli-error.ts";
import type { CommandModule } from "../command.ts";
import { parseAddress } from "../connect/address.ts";
import { schemas } from "./schemas.ts";
import { componentLog, settingsOf } from "./settings.ts";
import { runComponent } from "./supervised.ts";

export const run: CommandModule["run"] = (invocation) => {
  const settings = settingsOf(schemas.edge, invocation);
  const log = componentLog("edge", settings.logLevel);
  const listen = parseAddress(settings.listen);
  if (!listen) throw usageError(`needs host:port, not "${settings.listen}"`);
  return runComponent(invocation, log, (lifecycle) => {
    const edge = serveEdge({
      masterAddress: settings.master,
      listen,
      dnsHttpAddress: settings.dnsHttp,
      log,
      onListening: (address) => {
        log.info({ address }, "listening");
        lifecycle.ready();
      },
      onError: (error) => lifecycle.fail(error),
    });
    return { stop: (done) => edge.close(done) };
  });
};

import { hostname } from "node:os";
import { createDiscovery, serveDns, serveHttp } from "@muster/discovery";
import { grpcTransport, systemClock, systemRandom } from "@muster/foundation";
import { createMetrics } from "@muster/foundation/metrics";
import { usageError } from "../cli-error.ts";
import type { CommandModule } from "../command.ts";
import { parseAddress } from "../connect/address.ts";
import { version } from "../version.ts";
import { schemas } from "./schemas.ts";
import { componentLog, settingsOf } from "./settings.ts";
import { runComponent } from "./supervised.ts";

export const run: CommandModule["run"] = (invocation) => {
  const settings = settingsOf(schemas.dns, invocation);
  const log = componentLog("dns", settings.logLevel);
  const dnsPlace = place(settings.listen);
  const httpPlace = place(settings.http);
  return runComponent(invocation, log, (lifecycle) => {
    const transport = grpcTransport();
    const discovery = createDiscovery(
      { clock: systemClock, random: systemRandom, transport, log },
      {
        masterAddress: settings.master,
        domain: settings.domain,
        serverIp: dnsPlace.host,
        ...(settings.tellsVersion
          ? {
              chaosTexts: { "version.bind": `muster ${version}`, "hostname.bind": hostname(), "id.server": hostname() },
            }
          : {}),
      },
    );
    let listeners = 0;
    const listening = (result: { ok: true; value: { port: number } } | { ok: false; error: Error }): void => {
      if (!result.ok) {
        lifecycle.fail(result.error);
        return;
      }
      listeners++;
      log.info({ port: result.value.port }, "listening");
      if (listeners === 2) lifecycle.ready();
    };
    const dns = serveDns(discovery, { address: dnsPlace.host, port: dnsPlace.port, log, listening });
    const http = serveHttp(discovery, {
      address: httpPlace.host,
      port: httpPlace.port,
      version,
      metrics: createMetrics("muster_dns_"),
      listening,
    });
    discovery.start();
    return {
      stop: (done) =>
        discovery.stop(() =>
          dns.close(() =>
            http.close(() => {
              transport.close();
              done();
            }),
          ),
        ),
    };
  });
};

function place(text: string) {
  const found = parseAddress(text);
  if (!found) throw usageError(`needs host:port, not "${text}"`);
  return found;
}

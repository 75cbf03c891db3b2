import { grpcTransport, MusterError, serveGrpc, systemClock, systemRandom } from "@muster/foundation";
import { createMetrics } from "@muster/foundation/metrics";
import { createMaster, defaultMasterConfig, type OverlaySettings, parseOverlays } from "@muster/master";
import { standardServices } from "@muster/master/standard-services";
import { usageError } from "../cli-error.ts";
import type { CommandModule } from "../command.ts";
import { version } from "../version.ts";
import { schemas } from "./schemas.ts";
import { componentLog, settingsOf } from "./settings.ts";
import { advertisedAddress, storeOf } from "./store.ts";
import { runComponent } from "./supervised.ts";

export const run: CommandModule["run"] = (invocation) => {
  const settings = settingsOf(schemas.master, invocation);
  const log = componentLog("master", settings.logLevel);
  const overlays = overlaysOf(settings.overlays);
  const address = advertisedAddress(settings);
  const openStore = storeOf(settings, log);
  return runComponent(invocation, log, async (lifecycle) => {
    const store = await openStore();
    const transport = grpcTransport();
    const standard = standardServices();
    let isListening = false;
    let isLeading = false;
    const tellReady = (): void => {
      if (isListening && isLeading) lifecycle.ready();
    };
    const master = createMaster(
      {
        clock: systemClock,
        random: systemRandom,
        store,
        transport,
        log,
        metrics: createMetrics("muster_master_"),
        elected: () => {
          isLeading = true;
          standard.setRole("leading");
          tellReady();
        },
        standingBy: () => standard.setRole("standby"),
        failed: (error) => lifecycle.fail(error),
      },
      {
        ...defaultMasterConfig,
        candidate: address,
        address,
        version,
        pid: process.pid,
        offerTimeoutMs: settings.offerTimeoutMs,
        unreachableIntervalMs: settings.unreachableIntervalMs,
        overlays,
      },
    );
    const server = serveGrpc(master.handlers, {
      address: settings.listen,
      log,
      extend: (grpc) => standard.extend(grpc),
      listening: (result) => {
        if (result instanceof MusterError) {
          lifecycle.fail(result);
          return;
        }
        isListening = true;
        log.info({ address: result.address }, "listening");
        tellReady();
      },
    });
    master.start();
    return {
      stop: (done) =>
        master.stop(() =>
          server.close(() => {
            transport.close();
            store.close(done);
          }),
        ),
    };
  });
};

/** What is wrong with a network is said at once, before anything is started. */
function overlaysOf(texts: readonly string[]): readonly OverlaySettings[] {
  try {
    return parseOverlays(texts);
  } catch (error) {
    throw usageError((error as Error).message);
  }
}

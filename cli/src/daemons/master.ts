import { type GrpcServer, grpcTransport, MusterError, serveGrpc, systemClock, systemRandom } from "@muster/foundation";
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

/**
 * A master listens when it is known who leads, and after so long in any case. Thousands of agents that wait for a new
 * leader would else be refused again and again, which delays the leader by more than they wait.
 */
const undecidedMsMax = 2_000;

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
    let server: GrpcServer | undefined;
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
          listen();
          tellReady();
        },
        standingBy: () => {
          standard.setRole("standby");
          listen();
        },
        failed: (error) => lifecycle.fail(error),
      },
      {
        ...defaultMasterConfig,
        candidate: address,
        // A store of its own is nobody else's.
        hasOthers: settings.store !== "",
        address,
        version,
        pid: process.pid,
        offerTimeoutMs: settings.offerTimeoutMs,
        unreachableIntervalMs: settings.unreachableIntervalMs,
        overlays,
      },
    );
    const listen = (): void => {
      clearTimeout(undecided);
      server ??= serveGrpc(master.handlers, {
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
    };
    const undecided = setTimeout(listen, undecidedMsMax);
    master.start();
    return {
      stop: (done) => {
        clearTimeout(undecided);
        const close = (): void => {
          transport.close();
          store.close(done);
        };
        master.stop(() => (server ? server.close(close) : close()));
      },
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

import { mkdirSync } from "node:fs";
import { isIP } from "node:net";
import { hostname } from "node:os";
import { resolve } from "node:path";
import {
  agentDefaults,
  type BridgeSettings,
  type CniSettings,
  cniDefaults,
  createAgent,
  executorSocketPath,
  type Fingerprint,
  fingerprintHost,
  groupsIn,
  hostWorld,
  type PortEnforcement,
  parseHostNetworks,
  parseHostVolumes,
  parseSubnet,
  type RegistrySettings,
  serveExecutors,
} from "@muster/executors";
import { grpcTransport, type Log, MusterError, serveGrpc, systemClock, systemRandom } from "@muster/foundation";
import { usageError } from "../cli-error.ts";
import type { CommandModule } from "../command.ts";
import { lockFolder } from "../dev/lock.ts";
import { version } from "../version.ts";
import { artifactSettings } from "./artifacts.ts";
import { reservationsOf } from "./reservations.ts";
import { schemas } from "./schemas.ts";
import { componentLog, settingsOf } from "./settings.ts";
import { runComponent } from "./supervised.ts";

export const run: CommandModule["run"] = (invocation) => {
  const settings = settingsOf(schemas.agent, invocation);
  const log = componentLog("agent", settings.logLevel);
  return runComponent(invocation, log, async (lifecycle) => {
    const dataFolder = resolve(settings.dataDir);
    mkdirSync(dataFolder, { recursive: true, mode: 0o711 });
    await lockFolder(dataFolder, "agent");
    const masters = settings.master.split(",").map((one) => one.trim());
    const ports = { dynamicPortFirst: settings.taskPortFirst, dynamicPortLast: settings.taskPortLast };
    const bridge: BridgeSettings = {
      subnet: settings.bridgeSubnet,
      subnet6: settings.bridgeSubnet6,
      mtu: settings.bridgeMtu,
      closedPorts: [settings.listen, ...masters].map(portOf),
      driver: settings.bridgeDriver as BridgeSettings["driver"],
    };
    const cni: CniSettings = {
      ...cniDefaults,
      configFolder: resolve(settings.cniConfig),
      pluginFolders: settings.cniPath.split(":").filter((folder) => folder !== ""),
      ownedNetworks: settings.cniOwned.split(",").filter((name) => name !== ""),
    };
    const hostNetworks = parsed(() => parseHostNetworks(settings.hostNetworks, "hostNetworks"));
    const hostVolumes = parsed(() => parseHostVolumes(settings.hostVolumes, "hostVolumes"));
    const addressesMax = Math.min(agentDefaults.addressesMax, roomIn(bridge));
    const ips = {
      ...(settings.ip === "" ? {} : { ip: settings.ip }),
      ...(settings.overlayIp === "" ? {} : { overlayIp: addressOf(settings.overlayIp) }),
    };
    const registries: RegistrySettings = {
      authFile: settings.registryAuth === "" ? "" : resolve(settings.registryAuth),
      insecureRegistries: settings.insecureRegistries.split(",").filter((registry) => registry !== ""),
    };
    const engineSocket = resolve(settings.dockerSocket);
    const artifacts = artifactSettings(settings);
    const { host, containers } = await fingerprint(
      { dataFolder, bridge, cni, hostNetworks, hostVolumes, engineSocket, ...ports, ...ips },
      log,
    );
    const transport = grpcTransport();
    const executorSocket = executorSocketPath(dataFolder);
    const agent = createAgent(
      {
        clock: systemClock,
        random: systemRandom,
        transport,
        log,
        ...hostWorld({
          dataFolder,
          clock: systemClock,
          log,
          hasNets: host.networkModes.includes("none"),
          bridge,
          cni,
          hostNetworks,
          artifacts,
          containers,
          ...(host.underlay ? { underlay: host.underlay } : {}),
          hasImages: host.drivers.includes("oci"),
          ...(host.drivers.includes("docker") ? { engineSocket } : {}),
          registries,
          materials: {
            secretsFolder: settings.secretsDir === "" ? "" : resolve(settings.secretsDir),
            secretVariables: variablesOf(settings.secretEnv, invocation.environment),
          },
        }),
        failed: (error) => lifecycle.fail(error),
      },
      {
        name: settings.name || hostname(),
        address: settings.listen,
        masters,
        dataFolder,
        host,
        version,
        ...ports,
        addressesMax,
        enforcePorts: settings.enforcePorts as PortEnforcement,
        lentFraction: settings.lendCpu / 100,
        executorSocket,
        taskEnvironment: taskEnvironment(invocation.environment),
        reservations: reservationsOf(settings.reservations),
        shutdownGraceMsMax: settings.shutdownGraceMs,
      },
    );
    const executors = serveExecutors(agent, dataFolder, log, (error) => error && lifecycle.fail(error));
    const server = serveGrpc(agent.handlers, {
      address: settings.listen,
      log,
      listening: (result) => {
        if (result instanceof MusterError) {
          lifecycle.fail(result);
          return;
        }
        log.info({ address: result.address }, "listening");
        agent.start();
        lifecycle.ready();
      },
    });
    return {
      // An agent that is told to stop takes its tasks with it; one that is killed leaves them for the next.
      stop: (done) =>
        agent.stop(
          () =>
            executors.close(
              () =>
                server.close(() => {
                  transport.close();
                  done();
                }),
              "ended",
            ),
          "kill",
        ),
    };
  });
};

function addressOf(text: string): string {
  if (isIP(text) === 0) throw usageError(`--overlay-ip: "${text}" is no address`);
  return text;
}

function portOf(address: string): number {
  return Number(address.slice(address.lastIndexOf(":") + 1));
}

/** A slip in a setting ends the start with the usage. */
function parsed<T>(read: () => T): T {
  try {
    return read();
  } catch (error) {
    throw usageError((error as Error).message);
  }
}

/** Groups that have room in the subnets; what is wrong with a subnet is said at once, before anything is started. */
function roomIn({ subnet, subnet6 }: BridgeSettings): number {
  try {
    if (subnet6 !== "") parseSubnet(subnet6, "ipv6", "bridgeSubnet6");
    return groupsIn(parseSubnet(subnet, "ipv4", "bridgeSubnet"));
  } catch (error) {
    throw usageError((error as Error).message);
  }
}

function fingerprint(options: Parameters<typeof fingerprintHost>[0], log: Log): Promise<Fingerprint> {
  return new Promise((resolveHost) => {
    fingerprintHost(options, (found) => {
      for (const warning of found.warnings) log.warn({}, warning);
      resolveHost(found);
    });
  });
}

/** Variables that the operator has named, as far as they are set. */
function variablesOf(names: string, environment: Readonly<Record<string, string | undefined>>): Record<string, string> {
  const given: Record<string, string> = {};
  for (const name of names.split(",").map((one) => one.trim())) {
    const value = environment[name];
    if (name !== "" && value !== undefined) given[name] = value;
  }
  return given;
}

/** Tasks see our PATH, so that `command = "node"` works, and the name of the cluster's folder; nothing else of ours. */
function taskEnvironment(environment: Readonly<Record<string, string | undefined>>): Record<string, string> {
  const given: Record<string, string> = {};
  for (const name of ["PATH", "LANG", "TZ", "MUSTER_DATA_DIR"]) {
    const value = environment[name];
    if (value !== undefined && value !== "") given[name] = value;
  }
  return given;
}

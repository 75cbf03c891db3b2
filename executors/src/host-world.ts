import { mkdirSync } from "node:fs";
import type { Clock, Log } from "@muster/foundation";
import type { AgentDeps } from "./agent/agent.ts";
import { type ArtifactSettings, artifactDefaults } from "./artifacts/limits.ts";
import { NodeArtifacts } from "./artifacts/node-artifacts.ts";
import { TaskCgroups } from "./cgroups/task-cgroups.ts";
import type { ContainerHost } from "./containers/container-host.ts";
import { nodeDiskMeter } from "./disks/node-disk-meter.ts";
import { eitherImages } from "./engine/either-images.ts";
import { Engine } from "./engine/engine.ts";
import { engineImages } from "./engine/engine-images.ts";
import { OwnEngine } from "./engine/own-engine.ts";
import { nodeExecRunner } from "./exec/node-exec-runner.ts";
import { nodeGroupFiles } from "./files/node-group-files.ts";
import { nodeTaskFiles } from "./files/node-task-files.ts";
import { nodeProber } from "./health/node-prober.ts";
import { type RegistrySettings, registryDefaults } from "./images/skopeo.ts";
import { skopeoImages } from "./images/skopeo-images.ts";
import { nodeLogReader } from "./logs/node-log-reader.ts";
import { type MaterialsSettings, nodeMaterials } from "./materials/node-materials.ts";
import { bridgeBuilder } from "./networks/bridge/builder.ts";
import { type BridgeSettings, bridgeDefaults } from "./networks/bridge/settings.ts";
import { bridgeChain } from "./networks/cni/bridge-chain.ts";
import { cniBuilder } from "./networks/cni/builder.ts";
import { type CniSettings, cniDefaults } from "./networks/cni/settings.ts";
import { resolverFilesOfHost } from "./networks/kernel/group-files.ts";
import { IpBatch } from "./networks/kernel/ip-batch.ts";
import { kernelNets } from "./networks/kernel/kernel-nets.ts";
import { Namespaces, ownerOf } from "./networks/kernel/namespaces.ts";
import { noNetworkBuilder } from "./networks/none/builder.ts";
import { overlayBuilder, overlayLinkOf } from "./networks/overlay/builder.ts";
import { OverlayHost } from "./networks/overlay/overlay-host.ts";
import type { UnderlayAddress } from "./networks/overlay/plan.ts";
import type { HostNetworkRule } from "./ports/host-networks.ts";
import { nodeHostPorts } from "./ports/node-host-ports.ts";
import { shimProc } from "./shim/shim-proc.ts";
import { nodeProcessorMeter } from "./stats/node-processor-meter.ts";
import { nodeTaskMeter } from "./stats/node-task-meter.ts";
import { NodeVolumes } from "./volumes/node-volumes.ts";
import type { NetSpec, Nets } from "./world/nets.ts";
import { nodeDisk } from "./world/node-disk.ts";

export interface HostWorldOptions {
  /** Absolute path of the agent's own folder; made if it is not there. One agent at a time. */
  readonly dataFolder: string;
  readonly clock: Clock;
  readonly log: Log;
  /** Whether groups can have networks of their own: the agent is root and has the tools. */
  readonly hasNets?: boolean;
  /** Default: `bridgeDefaults`. */
  readonly bridge?: BridgeSettings;
  /** Default: `cniDefaults`. */
  readonly cni?: CniSettings;
  /** Where packets of overlay networks go out and come in. Absent: groups can't have such networks. */
  readonly underlay?: UnderlayAddress;
  /** Whether tasks can have images: containers work, and skopeo was found. */
  readonly hasImages?: boolean;
  /** Unix socket of the Engine that runs tasks of driver docker. Absent: none does. */
  readonly engineSocket?: string;
  /** Default: `registryDefaults`. */
  readonly registries?: RegistrySettings;
  /** Where the host's name servers stand. Default: /etc/resolv.conf and that of systemd-resolved. */
  readonly resolverFiles?: readonly string[];
  /** Networks of the host with names. Default: none. */
  readonly hostNetworks?: readonly HostNetworkRule[];
  /** What artifacts may come from, and take. Default: `artifactDefaults`. */
  readonly artifacts?: ArtifactSettings;
  /** Secrets that tasks may be given. Default: none. */
  readonly materials?: MaterialsSettings;
  /** What makes containers, as the fingerprint has found it. Absent: tasks can have none. */
  readonly containers?: ContainerHost | undefined;
}

const noSecrets: MaterialsSettings = { secretsFolder: "", secretVariables: {} };

/** The real disk, processes and ports: what an agent needs beside clock, chance, transport and log. */
export function hostWorld({
  dataFolder,
  clock,
  log,
  hasNets = false,
  bridge = bridgeDefaults,
  cni = cniDefaults,
  underlay,
  hasImages = false,
  engineSocket,
  registries = registryDefaults,
  resolverFiles = resolverFilesOfHost,
  hostNetworks = [],
  artifacts = artifactDefaults,
  materials = noSecrets,
  containers: host,
}: HostWorldOptions): Pick<
  AgentDeps,
  | "disk"
  | "diskMeter"
  | "processorMeter"
  | "proc"
  | "hostPorts"
  | "prober"
  | "logReader"
  | "execRunner"
  | "taskFiles"
  | "taskMeter"
  | "nets"
  | "images"
  | "artifacts"
  | "volumes"
  | "groupFiles"
  | "materials"
> {
  mkdirSync(dataFolder, { recursive: true, mode: 0o711 });
  const owner = ownerOf(dataFolder);
  const engine = engineSocket === undefined ? undefined : new OwnEngine(engineSocket, owner, log);
  const images = eitherImages(
    hasImages ? skopeoImages({ dataFolder, clock, log, registries }) : undefined,
    engine && engineImages({ engine: new Engine(engine.socket), owner, clock, log, registries }),
  );
  const containers = host && { host, cgroups: new TaskCgroups(host.cgroups, owner) };
  return {
    disk: nodeDisk(dataFolder, log),
    proc: shimProc({ dataFolder, clock, log, ...(containers ? { containers } : {}), ...(engine ? { engine } : {}) }),
    hostPorts: nodeHostPorts(hostNetworks),
    prober: nodeProber({ dataFolder, log }),
    logReader: nodeLogReader(dataFolder),
    execRunner: nodeExecRunner(dataFolder),
    taskFiles: nodeTaskFiles(dataFolder),
    taskMeter: nodeTaskMeter(),
    diskMeter: nodeDiskMeter(dataFolder),
    processorMeter: nodeProcessorMeter(),
    volumes: new NodeVolumes(dataFolder, log),
    groupFiles: nodeGroupFiles(),
    artifacts: new NodeArtifacts({ dataFolder, clock, log, settings: artifacts }),
    materials: nodeMaterials(dataFolder, materials),
    ...(hasNets ? { nets: realNets(dataFolder, log, bridge, cni, underlay, resolverFiles) } : {}),
    ...(images ? { images } : {}),
  };
}

function realNets(
  dataFolder: string,
  log: Log,
  settings: BridgeSettings,
  cni: CniSettings,
  underlay: UnderlayAddress | undefined,
  resolverFiles: readonly string[],
): Nets {
  const owner = ownerOf(dataFolder);
  const ip = new IpBatch();
  const namespaces = new Namespaces(dataFolder, ip);
  const plugins = { dataFolder, settings: cni, log, nameOf: (key: string) => namespaces.nameOf(key) };
  const bridge =
    settings.driver === "cni"
      ? cniBuilder({ ...plugins, fixed: bridgeChain(dataFolder, settings) })
      : bridgeBuilder({ owner, settings, ip });
  const linkOf = (spec: NetSpec): string => overlayLinkOf(owner, spec);
  const { closedPorts } = settings;
  const overlays = underlay && new OverlayHost({ owner, dataFolder, underlay, closedPorts, ip, log, linkOf });
  const overlay = overlays ? [overlayBuilder({ owner, ip, host: overlays })] : [];
  const builders = [noNetworkBuilder, bridge, cniBuilder(plugins), ...overlay];
  return kernelNets({ dataFolder, ip, log, builders, resolverFiles, ...(overlays ? { overlays } : {}) });
}

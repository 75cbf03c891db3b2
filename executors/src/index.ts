export { type Agent, type AgentDeps, createAgent } from "./agent/agent.ts";
export { type AgentConfig, agentDefaults, type HostFacts } from "./agent/config.ts";
export type { PortEnforcement } from "./agent/core/port-watch.ts";
export type { StaticReservation } from "./agent/core/set-aside/recover.ts";
export { type Fingerprint, type FingerprintOptions, fingerprintHost } from "./agent/fingerprint/fingerprint-host.ts";
export { type TaskFolders, taskFolders } from "./agent/folders.ts";
export { type ArtifactLimits, type ArtifactSettings, artifactDefaults, artifactLimits } from "./artifacts/limits.ts";
export type { ContainerHost } from "./containers/container-host.ts";
export { executorSocketPath, serveExecutors } from "./executor-socket.ts";
export { type HostWorldOptions, hostWorld } from "./host-world.ts";
export { type RegistrySettings, registryDefaults } from "./images/skopeo.ts";
export type { MaterialsSettings } from "./materials/node-materials.ts";
export { type BridgeSettings, bridgeDefaults } from "./networks/bridge/settings.ts";
export { type CniSettings, cniDefaults } from "./networks/cni/settings.ts";
export { groupsIn, parseSubnet } from "./networks/subnets.ts";
export { createPorts, type Ports, releasePorts, takeDynamicPort, takePort } from "./ports/allocator.ts";
export { type HostNetworkRule, parseHostNetworks } from "./ports/host-networks.ts";
export { type HostVolume, parseHostVolumes } from "./volumes/host-volumes.ts";
export type { Artifacts, ArtifactsEvents, ArtifactsWish } from "./world/artifacts.ts";
export type { Disk, DiskFailure, DiskFile, DiskSpace, DiskWrite } from "./world/disk.ts";
export type {
  FilesArrival,
  FilesReading,
  FilesWish,
  FolderMove,
  GroupFiles,
  NamedFolder,
} from "./world/group-files.ts";
export type { HostNetwork, HostPorts, HostTask, PortHolder, PortQuestion, TaskListener } from "./world/host-ports.ts";
export type { ImageConfig, ImageEvents, ImageReady, Images, ImageWish } from "./world/images.ts";
export type { MadeFile, Materials, MaterialsFound, MaterialsWish, SecretWish, TaskPlace } from "./world/materials.ts";
export type { NetEvents, NetReady, NetSpec, Nets, OverlayNews } from "./world/nets.ts";
export type {
  GrpcTarget,
  HttpTarget,
  ProbePlace,
  ProbeResult,
  Prober,
  ProbeTarget,
  ProbeTls,
  ScriptTarget,
  TcpTarget,
} from "./world/prober.ts";
export type { Proc, ProcContainer, ProcEvents, ProcExit, ProcSpec, ProcStarted } from "./world/proc.ts";
export type {
  ExecEvents,
  ExecQuestion,
  ExecRunner,
  ExecSession,
  LogQuestion,
  LogReader,
  LogReading,
  LogSink,
  OutputStream,
} from "./world/task-files.ts";
export type { Volumes } from "./world/volumes.ts";

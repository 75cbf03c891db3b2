import type { CoreConfig } from "./model.ts";

/** An agent of tests; each changes what it is about. */
export const coreConfig: CoreConfig = {
  agentId: "agent-1",
  agentName: "here",
  dataFolder: "/data",
  bootId: "boot-1",
  ip: "10.0.0.1",
  attributes: {},
  taskEnvironment: {},
  drivers: new Set(["process"]),
  executorSocket: "/run/agent",
  networkModes: new Set(["host"]),
  mayChangeUser: false,
  tasksMax: 1_000,
  addressesMax: 10,
  probesMax: 8,
  helperProbesMax: 2,
  enforcePorts: "off",
  portWatchMs: 5_000,
  diskWatchMs: 5_000,
  lentFraction: 0,
  lendingWatchMs: 15_000,
  diskFreeBytesMin: 0,
  diskFreeFractionMin: 0,
  hasVolumes: true,
  hasMaterials: true,
};

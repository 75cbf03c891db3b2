import type { Network } from "../network.ts";

/** A namespace behind the agent's bridge: every group has its own addresses, and its ports are mapped to the host's. */
export const bridgeNetwork: Network = {
  name: "bridge",
  isAlone: false,
  hasNamespace: true,
  takesAddress: true,
  hasPorts: true,
  hasOwnPorts: false,
  mapsPorts: true,
  takesLimits: true,
  portInside: (port) => port.to,
};

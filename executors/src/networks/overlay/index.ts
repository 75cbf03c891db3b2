import type { Network } from "../network.ts";

/** A namespace with an address that every agent's tasks reach directly: "overlay/NAME". Its ports are its own. */
export const overlayNetwork: Network = {
  name: "overlay",
  isAlone: false,
  hasNamespace: true,
  takesAddress: true,
  hasPorts: true,
  hasOwnPorts: true,
  mapsPorts: true,
  takesLimits: true,
  portInside: (port) => port.to,
};

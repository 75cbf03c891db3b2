import type { Network } from "../network.ts";

/**
 * A namespace that plugins of CNI furnish, as a configuration of the host says: "cni/NAME". Whether the host's ports lead
 * inside is up to the plugins; a task itself always listens on the port inside.
 */
export const cniNetwork: Network = {
  name: "cni",
  isAlone: false,
  hasNamespace: true,
  takesAddress: false,
  hasPorts: true,
  hasOwnPorts: false,
  mapsPorts: true,
  takesLimits: true,
  portInside: (port) => port.to,
};

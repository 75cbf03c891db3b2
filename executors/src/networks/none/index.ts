import type { Network } from "../network.ts";

/** A namespace with loopback alone: tasks of a group reach one another, and nobody else reaches them. */
export const noNetwork: Network = {
  name: "none",
  isAlone: true,
  hasNamespace: true,
  takesAddress: false,
  hasPorts: false,
  hasOwnPorts: false,
  mapsPorts: false,
  takesLimits: false,
  portInside: (port) => port.to,
};

import type { Network } from "../network.ts";

/** The host's own network: nothing is built, tasks are told their ports and are trusted to use no others. */
export const hostNetwork: Network = {
  name: "host",
  isAlone: true,
  hasNamespace: false,
  takesAddress: false,
  hasPorts: true,
  hasOwnPorts: false,
  mapsPorts: false,
  takesLimits: false,
  portInside: (port) => port.number,
};

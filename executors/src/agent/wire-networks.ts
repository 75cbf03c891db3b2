import type { FurtherNetwork, TaskGroup } from "@muster/proto";
import { problemOfLimits } from "../networks/limits/limits.ts";
import { findNetwork } from "../networks/networks.ts";
import { plainNetwork } from "./core/model.ts";

/** Networks of a group beside its first. */
export const moreNetworksMax = 7;

/** Copies it from the wire: nothing of the message is kept. */
export function copyFurther(network: FurtherNetwork): FurtherNetwork {
  const { mode, downMbitMax, upMbitMax, connectionsMax, newConnectionsPerSecondMax } = network;
  return {
    mode,
    ...(downMbitMax === undefined ? {} : { downMbitMax }),
    ...(upMbitMax === undefined ? {} : { upMbitMax }),
    ...(connectionsMax === undefined ? {} : { connectionsMax }),
    ...(newConnectionsPerSecondMax === undefined ? {} : { newConnectionsPerSecondMax }),
  };
}

/** What is wrong with the networks of a group together, with the field; empty: nothing. */
export function problemOfNetworks({ networkMode, moreNetworks, ports }: TaskGroup): string {
  const astray = ports.find(({ network = 0 }) => network > moreNetworks.length);
  if (astray) return `ports: "${astray.label}" is in network ${astray.network}, which its group has not`;
  if (moreNetworks.length === 0) return "";
  if (moreNetworks.length > moreNetworksMax) return `more_networks: at most ${moreNetworksMax}`;
  const modes = [networkMode || "host", ...moreNetworks.map(({ mode }) => mode)];
  for (const [index, mode] of modes.entries()) {
    const field = index === 0 ? "network_mode" : `more_networks[${index - 1}].mode`;
    if (modes.indexOf(mode) < index) return `${field}: the group is in ${mode} already`;
    if (findNetwork(mode)?.isAlone) return `${field}: mode ${mode} can't be beside another network`;
  }
  for (const [index, { mode: _, ...limits }] of moreNetworks.entries()) {
    const problem = problemOfLimits({ ...plainNetwork, ...limits });
    if (problem !== "") return problem.replace(/^network/, `more_networks[${index}]`);
  }
  return "";
}

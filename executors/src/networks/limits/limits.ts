import { createHash } from "node:crypto";
import type { GroupNetwork } from "@muster/proto";
import type { NetSpec } from "../../world/nets.ts";

/** What a group may do with its network, as far as it is bounded. */
export interface NetLimits {
  /** Megabits a second to the group; undefined: no bound. So with all of them. */
  readonly downMbit: number | undefined;
  readonly upMbit: number | undefined;
  /** Connections and flows of the group that the kernel follows at once, in both directions. */
  readonly connections: number | undefined;
  /** New ones a second, in both directions. */
  readonly connectionsPerSecond: number | undefined;
}

/** Megabits a second that may be asked for: less than the lowest would stop a connection for seconds. */
export const mbitBounds = { min: 1, max: 400_000 } as const;
export const connectionBounds = { min: 1, max: 1_000_000 } as const;

/** The bounds that a description names; undefined: none. */
export function limitsOf(network: GroupNetwork): NetLimits | undefined {
  const { downMbitMax, upMbitMax, connectionsMax, newConnectionsPerSecondMax } = network;
  const limits = {
    downMbit: downMbitMax,
    upMbit: upMbitMax,
    connections: connectionsMax,
    connectionsPerSecond: newConnectionsPerSecondMax,
  };
  return Object.values(limits).some((value) => value !== undefined) ? limits : undefined;
}

/** What is wrong with the bounds of a description, with the field; empty: nothing. */
export function problemOfLimits(network: GroupNetwork): string {
  const { downMbitMax, upMbitMax, connectionsMax, newConnectionsPerSecondMax } = network;
  const checked = [
    ["down_mbit_max", downMbitMax, mbitBounds],
    ["up_mbit_max", upMbitMax, mbitBounds],
    ["connections_max", connectionsMax, connectionBounds],
    ["new_connections_per_second_max", newConnectionsPerSecondMax, connectionBounds],
  ] as const;
  for (const [field, value, { min, max }] of checked)
    if (value !== undefined && (value < min || value > max)) return `network.${field}: must be ${min} to ${max}`;
  return "";
}

/** A group whose network is bounded, and what of the kernel's is its. */
export interface LimitedGroup {
  /** Of one network of one group, and never used twice: what belongs to it has this in its name. */
  readonly id: string;
  /** The host's end of its link. */
  readonly link: string;
  readonly ips: readonly string[];
  readonly limits: NetLimits;
}

/** What bounds of a network are called by. */
export function limitsId({ key, index = 0 }: Pick<NetSpec, "key" | "index">): string {
  return `${key}.${index}`;
}

/** The link that what a group sends is led through; names of links have at most 15 bytes. */
export function shaperOf(owner: string, id: string): string {
  return `${shaperPrefix}${createHash("sha256").update(`${owner}/${id}`).digest("hex").slice(0, 13)}`;
}

export const shaperPrefix = "mi";

/** The kernel's number for all such links of one agent, by which it knows its own: names say nothing of owners. */
export function shaperGroup(owner: string): number {
  return (Number.parseInt(owner, 16) & 0x7fffffff) | 1;
}

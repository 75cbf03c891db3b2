import type { GroupNetwork } from "@muster/proto";

export interface NetworkSettings {
  /** Absent: made from the id of the group's first task. */
  readonly hostname?: string;
  /** Absent: the resolver of the agent's host. */
  readonly dns?: {
    readonly servers: readonly string[];
    readonly searches: readonly string[];
    readonly options: readonly string[];
  };
}

/** How a group of tasks sees its own network, as a launch says it. */
export function groupNetwork({ hostname = "", dns }: NetworkSettings = {}): GroupNetwork {
  return {
    hostname,
    dnsServers: [...(dns?.servers ?? [])],
    dnsSearches: [...(dns?.searches ?? [])],
    dnsOptions: [...(dns?.options ?? [])],
  };
}

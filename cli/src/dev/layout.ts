import { usageError } from "../cli-error.ts";

/** Ports of a cluster on one machine, before the offset. */
const ports = { master: 5_050, agent: 5_051, agentOfSeveral: 5_151, edge: 5_080, dns: 8_053, dnsHttp: 8_123 } as const;
/** Ports that agents give to tasks, before the offset. */
const taskPorts = { first: 20_000, last: 32_000 } as const;

/** Agents of one machine: their ports must not reach the edge's of a cluster at the next hundred. */
export const agentsMax = 64;
/** Fewer ports to an agent would make launches fail for want of them. */
const taskPortsPerAgentMin = 50;
const portMax = 65_535;
const host = "127.0.0.1";

export interface AgentPlace {
  readonly name: string;
  readonly address: string;
  /** First and last port that it gives to tasks. */
  readonly taskPortFirst: number;
  readonly taskPortLast: number;
  /** Addresses of tasks in network mode bridge, unlike those of other agents of this machine. */
  readonly bridgeSubnet: string;
  readonly bridgeSubnet6: string;
}

/** Where each component of a cluster on one machine is. */
export interface Layout {
  readonly master: string;
  readonly agents: readonly AgentPlace[];
  readonly edge: string;
  readonly dns: string;
  readonly dnsHttp: string;
}

/**
 * Every port shifted by the offset; the range of task ports is cut where the kernel's own begins, as far as that leaves
 * enough, and divided among the agents.
 */
export function layOut(offset: number, agentCount: number, ephemeralFirst: number): Layout {
  if (agentCount < 1 || agentCount > agentsMax) throw usageError(`--agents needs 1 to ${agentsMax}, not ${agentCount}`);
  const offsetMax = portMax - taskPorts.first - agentsMax * taskPortsPerAgentMin;
  if (offset > offsetMax) throw usageError(`--port-offset needs 0 to ${offsetMax}, not ${offset}`);
  const first = taskPorts.first + offset;
  const lastWanted = Math.min(portMax, taskPorts.last + offset);
  const lastBelowKernel = Math.min(lastWanted, ephemeralFirst - 1);
  const last = lastBelowKernel - first + 1 >= agentCount * taskPortsPerAgentMin ? lastBelowKernel : lastWanted;
  const each = Math.floor((last - first + 1) / agentCount);
  const firstAgentPort = agentCount === 1 ? ports.agent : ports.agentOfSeveral;
  return {
    master: at(ports.master + offset),
    agents: Array.from({ length: agentCount }, (_, index) => ({
      name: `agent-${index + 1}`,
      address: at(firstAgentPort + index + offset),
      taskPortFirst: first + index * each,
      taskPortLast: first + (index + 1) * each - 1,
      ...bridgeSubnets(offset, index),
    })),
    edge: at(ports.edge + offset),
    dns: at(ports.dns + offset),
    dnsHttp: at(ports.dnsHttp + offset),
  };
}

/** Blocks of 16 agents that clusters of one machine take, each by its offset. */
const subnetBlocks = 64;

/** One of 10.78.0.0/20, 10.78.16.0/20 and so on to each agent; clusters with other offsets begin elsewhere. */
function bridgeSubnets(offset: number, index: number): Pick<AgentPlace, "bridgeSubnet" | "bridgeSubnet6"> {
  const block = (Math.ceil(offset / 10) + Math.floor(index / 16)) % subnetBlocks;
  const part = 16 * (index % 16);
  return {
    bridgeSubnet: `10.${78 + block}.${part}.0/20`,
    bridgeSubnet6: `fd78:0:${block.toString(16)}:${part.toString(16)}::/64`,
  };
}

/** Every address that must be free, with what it is for. */
export function listeners(
  layout: Layout,
): { readonly purpose: string; readonly port: number; readonly udp: boolean }[] {
  const portOf = (address: string): number => Number(address.slice(address.lastIndexOf(":") + 1));
  return [
    { purpose: "the master", port: portOf(layout.master), udp: false },
    ...layout.agents.map(({ name, address }) => ({ purpose: name, port: portOf(address), udp: false })),
    { purpose: "DNS", port: portOf(layout.dns), udp: false },
    { purpose: "DNS", port: portOf(layout.dns), udp: true },
    { purpose: "the HTTP API of DNS", port: portOf(layout.dnsHttp), udp: false },
    { purpose: "the dashboard", port: portOf(layout.edge), udp: false },
  ];
}

function at(port: number): string {
  return `${host}:${port}`;
}

import { subtractResources } from "@muster/foundation";
import type { ClusterAgent } from "../cluster/cluster-view.ts";
import type { Room } from "./fit.ts";

/**
 * What could be had on an agent: what is offered to others too, since it comes back if it is not used, and may be claimed
 * meanwhile. Its dynamic range is not known.
 */
export function agentRoom(agent: ClusterAgent): Room {
  return {
    agentId: agent.agentId,
    agentName: agent.name,
    attributes: agent.attributes,
    available: subtractResources(agent.total, agent.allocated),
    total: agent.total,
    portsTaken: agent.portsTaken,
    portsInPart: agent.portsInPart,
    dynamicPortFirst: 0,
    dynamicPortLast: 0,
    drivers: agent.drivers,
    networkModes: agent.networkModes,
  };
}

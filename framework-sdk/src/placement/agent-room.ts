import { subtractResources } from "@muster/foundation";
import type { ClusterAgent } from "../cluster/cluster-view.ts";
import type { Room } from "./fit.ts";

/**
 * What could be had on an agent: what is offered to others too, since it comes back if it is not used, and may be claimed
 * meanwhile. With `roles`, by a framework of these: nothing of what is set aside for others. Its dynamic range is not known.
 */
export function agentRoom(agent: ClusterAgent, roles?: readonly string[]): Room {
  const unused = subtractResources(agent.total, agent.allocated);
  // How much of what is set aside is for whom is not told: where it may have some of it, it is for the master to say.
  const mayUseAll =
    roles === undefined || agent.reservedRoles.some((reserved) => roles.some((role) => isWithin(role, reserved)));
  return {
    agentId: agent.agentId,
    agentName: agent.name,
    attributes: agent.attributes,
    available: mayUseAll ? unused : subtractResources(unused, agent.setAside),
    total: agent.total,
    portsTaken: agent.portsTaken,
    portsInPart: agent.portsInPart,
    dynamicPortFirst: 0,
    dynamicPortLast: 0,
    drivers: agent.drivers,
    networkModes: agent.networkModes,
  };
}

/** Whether something for one role may be used by the other: by itself and by those below it. */
function isWithin(role: string, reserved: string): boolean {
  return role === reserved || role.startsWith(`${reserved}/`);
}

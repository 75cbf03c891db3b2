import { type ClusterAgent, isUsable } from "../cluster/cluster-view.ts";
import { attr } from "./attr.ts";
import { constraintFault, noNeighbours } from "./constraints.ts";
import { type Need, type Room, whatIsMissing } from "./fit.ts";
import type { AgentTraits } from "./references.ts";

/** Whether what runs on every agent is to run on this one: it is in use and meets the constraints. O(constraints). */
export function isAmongAll(need: Pick<Need, "constraints">, agent: ClusterAgent): boolean {
  return isUsable(agent) && meets(need, traitsOf(agent));
}

/** The same of an agent that is in use, if what the need asks for also works there: its drivers and network modes. */
export function canRunThere(need: Need, agent: AgentTraits & Pick<Room, "drivers" | "networkModes">): boolean {
  return whatIsMissing(need, agent) === undefined && meets(need, agent);
}

/** What constraints are about. */
export function traitsOf(agent: ClusterAgent): AgentTraits & Pick<ClusterAgent, "drivers" | "networkModes"> {
  const { agentId, name: agentName, attributes, drivers, networkModes } = agent;
  return { agentId, agentName, attributes, drivers, networkModes };
}

/** The need of an instance that belongs to one agent. */
export function pinnedTo(need: Need, agentId: string): Need {
  return { ...need, constraints: [attr("node.unique.id").is(agentId), ...need.constraints] };
}

function meets({ constraints }: Pick<Need, "constraints">, traits: AgentTraits): boolean {
  return constraints.every((constraint) => constraintFault(constraint, traits, noNeighbours) === undefined);
}

import { AgentStanding } from "@muster/proto";
import { type Checker, violation } from "./view.ts";

/** Nothing of an agent that an operator has deactivated or drained is offered, and a drained one has no task. */
export const standingsKept: Checker = ({ agents, offers }) =>
  agents.flatMap(({ agentId, standing, taskCount }) => {
    if (standing <= AgentStanding.AGENT_STANDING_ACTIVE) return [];
    const found = offers
      .filter((offer) => offer.agentId === agentId)
      .map(({ offerId }) => violation("offered-inactive", agentId, `${offerId} was made of it`));
    if (standing === AgentStanding.AGENT_STANDING_DRAINED && taskCount > 0)
      found.push(violation("drained-busy", agentId, `${taskCount} tasks live on a drained agent`));
    return found;
  });

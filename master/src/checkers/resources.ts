import {
  addResources,
  formatResources,
  isNegativeResources,
  isTerminal,
  noResources,
  type Resources,
  sameResources,
  subtractResources,
  withoutRevocable,
} from "@muster/foundation";
import type { AgentRecord } from "@muster/proto";
import { type Checker, type MasterView, type Violation, violation } from "./view.ts";

/**
 * What tasks use, what is offered and what is set aside never exceeds what an agent has, and none is ever negative. What
 * an agent lends it may take back before the tasks that use it have ended.
 */
export const noOverCommit: Checker = ({ agents }) =>
  agents.flatMap((agent) => {
    const { total, allocated, offered, setAside } = amountsOf(agent);
    const free = withoutRevocable(subtractResources(total, addResources(addResources(allocated, offered), setAside)));
    const negative = [allocated, offered, setAside, free].some((amount) => isNegativeResources(amount));
    if (!negative) return [];
    const detail = `total ${formatResources(total)}, allocated ${formatResources(allocated)}, offered ${formatResources(offered)}, set aside ${formatResources(setAside)}`;
    return [violation("over-commit", agent.agentId, detail)];
  });

/** Offers + allocations + free = total: what the agent's record says is what its tasks and offers add up to. */
export const resourcesConserved: Checker = (view) =>
  view.agents.flatMap((agent) => [...checkOffered(view, agent), ...checkAllocated(view, agent)]);

function checkOffered(view: MasterView, agent: AgentRecord): Violation[] {
  const offers = view.offers.filter((offer) => offer.agentId === agent.agentId);
  const sum = offers.reduce((total, offer) => addResources(total, offer.resources ?? noResources), noResources);
  const { offered } = amountsOf(agent);
  if (sameResources(sum, offered)) return [];
  const detail = `record says ${formatResources(offered)}, its ${offers.length} offers are ${formatResources(sum)}`;
  return [violation("offered-sum", agent.agentId, detail)];
}

/** Ports belong to groups, of which a task's record does not tell; the other amounts must agree. */
function checkAllocated(view: MasterView, agent: AgentRecord): Violation[] {
  const tasks = view.tasks.filter((task) => task.agentId === agent.agentId && !isTerminal(task.status?.state ?? 0));
  const sum = tasks.reduce((total, task) => addResources(total, task.resources ?? noResources), noResources);
  const allocated = { ...amountsOf(agent).allocated, portCount: 0 };
  if (sameResources({ ...sum, portCount: 0 }, allocated)) return [];
  const detail = `record says ${formatResources(allocated)}, its ${tasks.length} tasks use ${formatResources(sum)}`;
  return [violation("allocated-sum", agent.agentId, detail)];
}

function amountsOf(agent: AgentRecord): Record<"total" | "allocated" | "offered" | "setAside", Resources> {
  return {
    setAside: agent.setAside ?? noResources,
    total: agent.total ?? noResources,
    allocated: agent.allocated ?? noResources,
    offered: agent.offered ?? noResources,
  };
}

import { addResources, subtractResources, withoutRevocable } from "@muster/foundation";
import type { Agent, MasterState } from "./model.ts";
import { usedOf } from "./offers.ts";

/**
 * Settles whether an agent is part of the cluster's total: while something new may be placed there. Shares are parts of
 * what can be had, and no guarantee is kept by what cannot. O(1).
 */
export function countTotal({ allocator }: MasterState, agent: Agent, counted: boolean): void {
  if (agent.counted === counted) return;
  agent.counted = counted;
  allocator.countHeld(usedOf(agent), counted);
  const firm = withoutRevocable(agent.total);
  allocator.setTotal(counted ? addResources(allocator.total, firm) : subtractResources(allocator.total, firm));
}

import { isEmptyResources } from "@muster/foundation";
import type { Core } from "./core.ts";
import type { Agent, Framework } from "./model.ts";
import { freeResources, isRefused, makeOffer, reachesMinimum } from "./offers.ts";

/**
 * Offers what is free on the agents that have changed, agent by agent, each whole to the framework whose turn it is.
 * Returns true if time ran out before all were looked at: to be called again in the next tick.
 *
 * O(changed agents x (log roles + log frameworks + frameworks that say no)).
 */
export function allocate(core: Core, outOfTime: () => boolean): boolean {
  const { state } = core;
  const { allocator, dirty } = state;
  let looked = 0;
  for (const agent of dirty) {
    if (!allocator.hasEager) {
      dirty.clear();
      return false;
    }
    if ((++looked & 15) === 0 && outOfTime()) return true;
    dirty.delete(agent);
    offerAgent(core, agent);
  }
  return false;
}

/** Offers what has just become free on one agent now, before somebody claims it. */
export function shareOut(core: Core, agent: Agent): void {
  core.state.dirty.delete(agent);
  if (core.state.allocator.hasEager) offerAgent(core, agent);
}

function offerAgent(core: Core, agent: Agent): void {
  const { state } = core;
  if (agent.state !== "registered") return;
  const free = freeResources(agent);
  if (isEmptyResources(free) || (free.cpuMillis === 0 && free.memoryMiB === 0)) return;
  const member = state.allocator.next(({ frameworkId, role }) => {
    const framework = state.frameworks.get(frameworkId);
    if (framework === undefined || framework.state !== "connected") return false;
    if (!reachesMinimum(free, framework.minimumOffer ?? state.settings.minimumOffer)) return false;
    if (!satisfiesConstraints(framework, agent, role.name)) return false;
    return !isRefused(core, framework, agent, role.name, free);
  });
  if (member === undefined) return;
  const framework = state.frameworks.get(member.frameworkId);
  if (framework !== undefined) makeOffer(core, agent, framework, member.role.name, free);
}

function satisfiesConstraints(framework: Framework, agent: Agent, role: string): boolean {
  for (const constraint of framework.constraints) {
    if (constraint.role !== "" && constraint.role !== role) continue;
    if (!constraint.holds(agent.attributeValues.get(constraint.attribute))) return false;
  }
  return true;
}

/** Every agent with something to give is to be looked at: somebody new wants offers. O(agents). */
export function markAllDirty(core: Core): void {
  for (const agent of core.state.agents.values()) if (agent.state === "registered") core.state.dirty.add(agent);
}

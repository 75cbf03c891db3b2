import { addResources, containsResources, noResources, subtractResources } from "@muster/foundation";
import type { Core } from "../core.ts";
import { countOffered } from "../demand-counts.ts";
import type { Demand } from "../demand-shapes.ts";
import type { Agent, Framework, Member } from "../model.ts";
import { makeOffer, unusedResources } from "../offers.ts";
import { takesTasks } from "../operator/standing.ts";
import type { Hold } from "./model.ts";

/** Room is kept for so long at most: whoever ends later for it has ended in vain. */
export const holdMsMax = 300_000;
/** Who was made room for and did not use it is not made room for again so soon, and each time later. */
export const pauseMs = 60_000;
export const pauseMsMax = 3_600_000;

/** Keeps what is free, or becomes free, on an agent for one unit of a demand. */
export function makeHold(core: Core, agent: Agent, framework: Framework, member: Member, demand: Demand): Hold {
  const { state } = core;
  const hold: Hold = { agent, framework, member, demand, resources: demand.shape };
  state.preemption.holds.add(hold);
  agent.holds.add(hold);
  framework.holds.add(hold);
  agent.kept = addResources(agent.kept, hold.resources);
  state.allocator.hold(member, hold.resources, agent.counted);
  state.dirty.add(agent);
  core.after(holdMsMax, { type: "hold-over", hold });
  countOffered(core, framework, [{ demand, unitCount: 1 }], 1);
  return hold;
}

/** What was kept is free for all. O(1). */
export function dropHold(core: Core, hold: Hold): void {
  const { state } = core;
  if (!state.preemption.holds.delete(hold)) return;
  const { agent, framework, member, demand } = hold;
  agent.holds.delete(hold);
  framework.holds.delete(hold);
  agent.kept = agent.holds.size === 0 ? noResources : subtractResources(agent.kept, hold.resources);
  state.allocator.release(member, hold.resources, agent.counted);
  state.dirty.add(agent);
  countOffered(core, framework, [{ demand, unitCount: 1 }], -1);
}

export function dropHolds(core: Core, holder: Agent | Framework): void {
  for (const hold of [...holder.holds]) dropHold(core, hold);
}

/** Nobody may wait for ever for who does not end. */
export function holdOver(core: Core, hold: Hold): void {
  if (!core.state.preemption.holds.has(hold)) return;
  core.log("info", { agentId: hold.agent.id, role: hold.demand.role }, "room that was kept did not come in time");
  hold.demand.quietUntilMs = core.nowMs + pauseMs;
  dropHold(core, hold);
}

/** Offers room that was kept to whom it was kept for, as soon as it is there. O(holds). */
export function offerKeptRoom(core: Core): void {
  for (const hold of core.state.preemption.holds) {
    const { agent, framework, demand, resources } = hold;
    const isWanted = framework.demands?.get(demand.role)?.get(demand.id) === demand;
    if (!isWanted || demand.count < demand.offeredCount || !takesTasks(agent)) {
      dropHold(core, hold);
      continue;
    }
    if (!containsResources(unusedResources(agent), resources)) continue;
    demand.quietUntilMs = core.nowMs + Math.min(pauseMs * 2 ** demand.unusedRoomCount++, pauseMsMax);
    dropHold(core, hold);
    makeOffer(core, agent, hold.member, resources, [{ demand, unitCount: 1 }]);
  }
}

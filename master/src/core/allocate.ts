import { type Resources, subtractResources } from "@muster/foundation";
import { isOwed, reasonAgainst, seenBy, unboundedReason } from "./allocation-reasons.ts";
import type { Core } from "./core.ts";
import { demandedOf } from "./demand-shapes.ts";
import type { Agent, Member } from "./model.ts";
import { freeResources, isOfferable, makeOffer } from "./offers.ts";
import { takesTasks } from "./operator/standing.ts";
import { offerKeptRoom } from "./preemption/holds.ts";
import { availableTo, type Choosable } from "./set-aside/available.ts";
import { takeFrom } from "./set-aside/shares.ts";

/**
 * Offers what is free on the agents that have changed, agent by agent, each to the framework whose turn it is: whole,
 * unless quota leaves it only a part or it has said that it wants less. Returns true if time ran out before all were looked at: to be called again in the
 * next tick.
 *
 * O(changed agents x (log roles + log frameworks + frameworks that say no)). What quota kept from everybody is looked at
 * again when something was given back.
 */
export function allocate(core: Core, outOfTime: () => boolean): boolean {
  const { state } = core;
  const { allocator, dirty } = state;
  if (state.preemption.holds.size > 0) offerKeptRoom(core);
  if (state.isAllDirty) {
    state.isAllDirty = false;
    for (const agent of state.agents.values()) if (agent.state === "registered") dirty.add(agent);
  }
  if (allocator.isLoosened) {
    allocator.isLoosened = false;
    for (const agent of state.withheld) dirty.add(agent);
    state.withheld.clear();
  }
  let looked = 0;
  for (let agent = dirty.first; agent !== undefined; agent = dirty.first) {
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
  const { allocator, dirty, isAllDirty } = core.state;
  if (!dirty.delete(agent) && !isAllDirty) return;
  if (allocator.hasEager) offerAgent(core, agent);
}

function offerAgent(core: Core, agent: Agent): void {
  if (!takesTasks(agent)) return;
  if (agent.setAside !== undefined) {
    offerDivided(core, agent);
    return;
  }
  const { allocator, withheld } = core.state;
  let free = freeResources(agent);
  while (isOfferable(free)) {
    if (!allocator.hasOpen) break;
    const chosen = allocator.hasQuota ? chooseUnderQuota(core, agent, free) : choose(core, agent, free);
    if (chosen === undefined) break;
    const { member } = chosen;
    const seen = seenBy(member.owner, chosen.amount);
    const demanded = demandedOf(member, agent, seen);
    if (demanded === undefined) break;
    const { amount, parts } = demanded === "all" ? { amount: seen, parts: undefined } : demanded;
    makeOffer(core, agent, member, amount, parts);
    if (amount === free) return;
    free = subtractResources(free, amount);
  }
  if (allocator.hasQuota && isOfferable(free)) withheld.add(agent);
}

/**
 * The same of an agent on which something is set aside: each is asked what it may have of that, beside its part of what
 * is not. O(members x reservations of the agent) for each offer.
 */
function offerDivided(core: Core, agent: Agent): void {
  const { allocator, withheld } = core.state;
  let found: Choosable | undefined;
  const fits = (member: Member): boolean => {
    const answer = availableTo(core, agent, member);
    if (typeof answer === "string") return false;
    found = answer;
    return true;
  };
  while (allocator.hasOpen) {
    const free = freeResources(agent);
    found = undefined;
    const member =
      allocator.nextPromised((one) => isOwed(one.role, free) && fits(one)) ?? allocator.next((one) => fits(one));
    if (member === undefined || found === undefined) break;
    const { shares, volumes, ...choosable } = found as Choosable;
    const amount = seenBy(member.owner, choosable.amount);
    const demanded = demandedOf(member, agent, amount);
    if (demanded === undefined) break;
    if (demanded === "all") makeOffer(core, agent, member, amount, undefined, shares, volumes);
    else {
      const taken = takeFrom(shares, demanded.amount);
      makeOffer(core, agent, member, demanded.amount, demanded.parts, taken, volumes);
    }
  }
  if (allocator.hasQuota && isOfferable(freeResources(agent))) withheld.add(agent);
}

interface Choice {
  readonly member: Member;
  readonly amount: Resources;
}

function choose(core: Core, agent: Agent, free: Resources): Choice | undefined {
  const member = core.state.allocator.next((one) => unboundedReason(core, agent, one, free) === undefined);
  return member && { member, amount: free };
}

/** Those whose guarantee is not kept come first, if there is something of it here. */
function chooseUnderQuota(core: Core, agent: Agent, free: Resources): Choice | undefined {
  const { allocator } = core.state;
  let amount = free;
  const fits = (member: Member): boolean => {
    const answer = reasonAgainst(core, agent, member, free);
    if (typeof answer === "string") return false;
    amount = answer;
    return true;
  };
  const member =
    allocator.nextPromised((one) => isOwed(one.role, free) && fits(one)) ?? allocator.next((one) => fits(one));
  return member && { member, amount };
}

/** Every agent with something to give is to be looked at: somebody new wants offers. */
export function markAllDirty(core: Core): void {
  core.state.isAllDirty = true;
}

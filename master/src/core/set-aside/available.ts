import { addResources, noResources, type Resources } from "@muster/foundation";
import { type Bound, cutTo, leftOf } from "../../allocator/bound.ts";
import { isWorthIt, type NotOffered, unboundedReason } from "../allocation-reasons.ts";
import type { Core } from "../core.ts";
import type { Agent, Member, Role } from "../model.ts";
import { freeResources, isOfferable } from "../offers.ts";
import { idleFor, volumesFor } from "./books.ts";
import type { ReservedShare, Volume } from "./model.ts";
import { hasSomething, sumOf } from "./shares.ts";

/** What of an agent a framework can be offered. */
export interface Choosable {
  readonly amount: Resources;
  /** Of the amount, what is set aside for its role or those above. */
  readonly shares: readonly ReservedShare[];
  readonly volumes: readonly Volume[];
}

/**
 * What a member can be offered of an agent on which something is set aside, or why nothing: its part of what is not set
 * aside, as quota leaves it, and all that is set aside for its role and those above, for which quota has been charged
 * already. O(reservations of the agent + depth).
 */
export function availableTo(core: Core, agent: Agent, member: Member): Choosable | NotOffered {
  const { allocator, awaited } = core.state;
  const { role } = member;
  const isInDoubt = role.isLimited && awaited.size > 0;
  const free = freeResources(agent);
  const bound = allocator.allowance(role);
  const cut = bound === undefined ? free : cutTo(free, bound);
  const isWorth = !isInDoubt && (cut === free || isWorthIt(core, member, cut, free));
  const shares = withinRooms(core, role, idleFor(agent, role));
  const plain = isWorth ? cut : noResources;
  const amount = shares.length === 0 ? plain : addResources(plain, sumOf(shares));
  if (!isOfferable(amount)) {
    if (!isOfferable(free)) return "reserved";
    if (isInDoubt) return "agents-awaited";
    return isWorthIt(core, member, cutTo(free, allocator.room(role)), free) ? "guarantees" : "limit";
  }
  const reason = unboundedReason(core, agent, member, amount);
  return reason ?? { amount, shares, volumes: volumesFor(agent, role) };
}

/** A limit below the role that something is set aside for bounds what of it may be had. */
function withinRooms(core: Core, role: Role, shares: ReservedShare[]): readonly ReservedShare[] {
  if (!role.isLimited) return shares;
  const within: ReservedShare[] = [];
  let taken = noResources;
  for (const { reservation, resources } of shares) {
    const room: Bound = leftOf(core.state.allocator.room(role, reservation.role), taken);
    const part = cutTo(resources, room);
    if (!hasSomething(part)) continue;
    taken = addResources(taken, part);
    within.push({ reservation, resources: part });
  }
  return within;
}

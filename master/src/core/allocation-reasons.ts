import { type Resources, withoutRevocable } from "@muster/foundation";
import { cutTo, overlaps } from "../allocator/bound.ts";
import { owedTo } from "../allocator/quota.ts";
import type { Core } from "./core.ts";
import { demandedOf } from "./demand-shapes.ts";
import type { Agent, Framework, Member, Role } from "./model.ts";
import { isRefused, reachesMinimum } from "./offers.ts";

/** Why a framework is not offered what is free on an agent in one of its roles. `role explain` tells people. */
export type NotOffered =
  /** The framework is not connected. */
  | "framework-away"
  /** Less is free than the least that is offered, or that the framework takes. */
  | "below-minimum"
  /** The framework's own offer constraints exclude the agent. */
  | "constraints"
  /** None of what the framework has said it wants fits. */
  | "demand"
  /** The framework has refused this much of the agent, and the time for it is not over. */
  | "refused"
  /** What is used is not known before all agents are back: the role has a limit. */
  | "agents-awaited"
  /** The limit of the role, or of one above it, is reached. */
  | "limit"
  /** Nothing is free but what is set aside for other roles, or offered. */
  | "reserved"
  /** What is free is kept for guarantees of others. */
  | "guarantees";

/** What agents lend is shown to those alone that can cope with its being taken back. */
export function seenBy(framework: Framework, amount: Resources): Resources {
  return framework.takesRevocable ? amount : withoutRevocable(amount);
}

/** The reasons that quota has no part in; undefined if it can be offered. O(filters of the agent + constraints). */
export function unboundedReason(core: Core, agent: Agent, member: Member, free: Resources): NotOffered | undefined {
  const { state } = core;
  const framework = member.owner;
  if (framework.state !== "connected") return "framework-away";
  const role = member.role.name;
  const amount = seenBy(framework, free);
  const demanded = demandedOf(member, agent, amount);
  if (demanded === undefined) return "demand";
  // Who says what shape it wants is offered that, however small.
  if (demanded === "all" && !reachesMinimum(amount, framework.minimumOffer ?? state.settings.minimumOffer))
    return "below-minimum";
  if (!satisfiesConstraints(framework, agent, role)) return "constraints";
  return isRefused(core, framework, agent, role, demanded === "all" ? amount : demanded.amount) ? "refused" : undefined;
}

/** What of an agent on which nothing is set aside a member can be offered, or why nothing. O(depth of the role) in addition. */
export function reasonAgainst(core: Core, agent: Agent, member: Member, free: Resources): Resources | NotOffered {
  const { allocator, awaited } = core.state;
  const { role } = member;
  if (role.isLimited && awaited.size > 0) return "agents-awaited";
  const bound = allocator.allowance(role);
  if (bound === undefined) return unboundedReason(core, agent, member, free) ?? free;
  const amount = cutTo(free, bound);
  const otherwise = unboundedReason(core, agent, member, amount);
  if (amount === free) return otherwise ?? free;
  if (otherwise === undefined && isWorthIt(core, member, amount, free)) return amount;
  // What is left may be too little for quota's sake alone: then quota is to blame.
  const isTooLittle = otherwise === "demand" || otherwise === "below-minimum";
  const without = isTooLittle ? unboundedReason(core, agent, member, free) : otherwise;
  if (without !== undefined) return without;
  const room = cutTo(free, allocator.room(role));
  const isEnough = isWorthIt(core, member, room, free) && unboundedReason(core, agent, member, room) === undefined;
  return isEnough ? "guarantees" : "limit";
}

/**
 * Whether what quota leaves of an agent is worth an offer: of whatever it has cut, the least that is offered must be
 * left. A sliver of a processor with all the memory would only keep the memory from others.
 */
export function isWorthIt(core: Core, member: Member, amount: Resources, free: Resources): boolean {
  const minimum = member.owner.minimumOffer ?? core.state.settings.minimumOffer;
  const isEnough = (left: number, all: number, least: number): boolean => left === all || left >= Math.max(1, least);
  return (
    isEnough(amount.cpuMillis, free.cpuMillis, minimum.cpuMillis) &&
    isEnough(amount.memoryMiB, free.memoryMiB, minimum.memoryMiB)
  );
}

export function satisfiesConstraints(framework: Framework, agent: Agent, role: string): boolean {
  for (const constraint of framework.constraints) {
    if (constraint.role !== "" && constraint.role !== role) continue;
    if (!constraint.holds(agent.attributeValues.get(constraint.attribute))) return false;
  }
  return true;
}

/** Whether a guarantee that the role has part in needs something of this. O(depth). */
export function isOwed(role: Role, free: Resources): boolean {
  return overlaps(owedTo(role), free);
}

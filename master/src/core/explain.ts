import { isEmptyResources } from "@muster/foundation";
import type { ExplainRoleResponse, RoleReason } from "@muster/proto";
import { leftOf } from "../allocator/bound.ts";
import { type NotOffered, reasonAgainst } from "./allocation-reasons.ts";
import type { Core } from "./core.ts";
import { limits } from "./limits.ts";
import type { Agent, Framework, Member, Role } from "./model.ts";
import { freeResources, isOfferable } from "./offers.ts";
import { roleRecord } from "./records.ts";
import { availableTo } from "./set-aside/available.ts";

/**
 * Why a role got nothing, or no more: each agent is put before the role's frameworks as the allocator does it, and what
 * it says is counted. O(agents x the first frameworks of the role).
 */
export function explainRole(core: Core, role: Role): ExplainRoleResponse {
  const { agents, allocator } = core.state;
  allocator.settle();
  const reasons = new Reasons();
  const members = membersOf(role);
  const eager = members.filter((member) => member.isEager);
  if (members.length === 0) reasons.add({ reason: "no-framework", message: "no framework works for it" });
  for (const member of members.slice(0, limits.membersExplained))
    if (!member.isEager) reasons.add(silence(member.owner));
  for (const member of members.slice(0, limits.membersExplained)) explainRoom(member, reasons);
  let agentCount = 0;
  for (const agent of agents.values()) {
    if (agent.state === "registered") agentCount++;
    explainAgent(core, agent, role, eager.slice(0, limits.membersExplained), reasons);
  }
  return {
    role: roleRecord(role),
    reasons: reasons.list(),
    agentCount,
    eagerCount: eager.length,
    ahead: rolesAhead(role),
  };
}

/** Those of a role and of all below it, in the order in which they were made known. */
function membersOf(role: Role): Member[] {
  return [...role.members.values(), ...[...role.children.values()].flatMap(membersOf)];
}

function silence(framework: Framework): Partial<RoleReason> {
  const of = { frameworkId: framework.id, frameworkName: framework.name };
  if (framework.state === "connected")
    return { ...of, reason: "suppressed", message: `${framework.name} has suppressed offers: it wants none` };
  return { ...of, reason: "framework-away", message: `${of.frameworkName} is not connected` };
}

/** What becomes of demands that others could be ended for. */
function explainRoom({ owner, role }: Member, reasons: Reasons): void {
  const of = { frameworkId: owner.id, frameworkName: owner.name };
  for (const hold of owner.holds)
    if (hold.demand.role === role.name)
      reasons.add({ ...of, reason: "room-is-made", agentCount: 1, message: "others are being ended for it there" });
  for (const demand of owner.demands?.get(role.name)?.values() ?? [])
    if (demand.lookedInVain !== "" && demand.count > demand.offeredCount)
      reasons.add({ ...of, reason: "no-room", message: `nobody is ended for it: ${demand.lookedInVain}` });
}

function explainAgent(core: Core, agent: Agent, role: Role, eager: readonly Member[], reasons: Reasons): void {
  if (agent.state !== "registered") {
    reasons.add({ reason: "agent-away", agentCount: 1, message: "not connected, so nothing of it is offered" });
    return;
  }
  if (agent.standing !== undefined) {
    const message = `${agent.standing.name} by an operator, so nothing of it is offered`;
    reasons.add({ reason: "agent-inactive", agentCount: 1, message });
    return;
  }
  const free = freeResources(agent);
  if (!isOfferable(free) && agent.setAside === undefined) {
    if (isEmptyResources(agent.offered))
      reasons.add({ reason: "used", agentCount: 1, message: "everything is in use by tasks" });
    else if ([...agent.offers].some((offer) => isBelow(offer.member.role, role)))
      reasons.add({ reason: "offered-to-it", agentCount: 1, message: "what is free is offered to it now" });
    else
      reasons.add({ reason: "offered", agentCount: 1, message: "what is free is offered to others whose turn it was" });
    return;
  }
  for (const member of eager) {
    const answer =
      agent.setAside === undefined ? reasonAgainst(core, agent, member, free) : availableTo(core, agent, member);
    reasons.add(typeof answer === "string" ? inWords(core, agent, member, answer) : next);
  }
}

const next: Partial<RoleReason> = { reason: "next", agentCount: 1, message: "it can be offered this when its turn is" };

function isBelow(role: Role, above: Role): boolean {
  return role === above || role.name.startsWith(`${above.name}/`);
}

function inWords(core: Core, agent: Agent, member: Member, reason: NotOffered): Partial<RoleReason> {
  const { id, name } = member.owner;
  const of = { reason, agentCount: 1, frameworkId: id, frameworkName: name };
  switch (reason) {
    case "framework-away":
      return { ...of, message: `${name} is not connected` };
    case "below-minimum":
      return { ...of, message: `less is free than the least that ${name} is offered` };
    case "constraints":
      return { ...of, message: `excluded by the offer constraints of ${name}` };
    case "refused":
      return { ...of, remainingMs: refusedForMs(core, agent, member), message: `${name} has refused it for a while` };
    case "agents-awaited":
      return { ...of, message: "what it uses is not known before all agents are back, and it has a limit" };
    case "limit": {
      const { role, resource } = limitOf(core, member);
      return { ...of, role, resource, message: `the limit of ${role} leaves not enough ${resource}` };
    }
    case "demand":
      return { ...of, message: "none of what it has said it wants fits there" };
    case "reserved":
      return { ...of, message: "what nobody uses there is set aside for other roles, or offered" };
    case "guarantees":
      return { ...of, message: "what is free is kept for guarantees of other roles" };
  }
}

/** How long the first of the refusals of an agent still lasts, in milliseconds. */
function refusedForMs(core: Core, agent: Agent, member: Member): number {
  const filters = member.owner.filters?.get(agent) ?? [];
  const ends = filters.filter(({ role }) => role === member.role.name).map((filter) => filter.endsAtMs - core.nowMs);
  return Math.max(0, Math.ceil(Math.min(...ends)));
}

/** The nearest role, itself or above, whose limit is the cause, and what there is not enough of. */
function limitOf(core: Core, member: Member): { role: string; resource: string } {
  const least = member.owner.minimumOffer ?? core.state.settings.minimumOffer;
  for (let role: Role | undefined = member.role; role !== undefined; role = role.parent) {
    if (!role.quota) continue;
    const left = leftOf(role.quota.limit, role.held);
    if (left.cpuMillis < Math.max(1, least.cpuMillis)) return { role: role.name, resource: "cpu" };
    if (left.memoryMiB < Math.max(1, least.memoryMiB)) return { role: role.name, resource: "memory" };
  }
  return { role: member.role.name, resource: "cpu" };
}

/** Roles that are asked before it, level by level from the top. */
function rolesAhead(role: Role): ExplainRoleResponse["ahead"] {
  const ahead: ExplainRoleResponse["ahead"] = [];
  for (let each: Role = role; each.parent !== undefined; each = each.parent) {
    const level: typeof ahead = [];
    for (const entry of each.parent.ranking.items) {
      if (entry === each || !each.isRanked) break;
      if (level.length < limits.rolesExplained)
        level.push({ role: entry.name, shareMillionths: Math.round(entry.share * 1_000_000) });
    }
    ahead.unshift(...level);
  }
  return ahead.slice(0, limits.rolesExplained);
}

/** Equal reasons counted together. */
class Reasons {
  readonly #found = new Map<string, RoleReason>();

  add(reason: Partial<RoleReason>): void {
    const key = `${reason.reason} ${reason.frameworkId ?? ""} ${reason.role ?? ""} ${reason.resource ?? ""}`;
    const known = this.#found.get(key);
    if (known === undefined) {
      const none = { reason: "", agentCount: 0, frameworkId: "", frameworkName: "" };
      this.#found.set(key, { ...none, role: "", resource: "", remainingMs: 0, message: "", ...reason });
      return;
    }
    known.agentCount += reason.agentCount ?? 0;
    if (reason.remainingMs) known.remainingMs = Math.min(known.remainingMs, reason.remainingMs);
  }

  list(): RoleReason[] {
    const rank = ({ agentCount }: RoleReason): number => (agentCount === 0 ? Number.POSITIVE_INFINITY : agentCount);
    return [...this.#found.values()].sort((a, b) => (rank(a) === rank(b) ? 0 : rank(b) - rank(a)));
  }
}

import {
  addResources,
  containsResources,
  describeShortage,
  type ErrorKind,
  missingResource,
  noResources,
  type Resources,
  subtractResources,
} from "@muster/foundation";
import type { Claim, PortPart, Refusal, TaskGroup } from "@muster/proto";
import { staysBehind } from "../allocator/precedence.ts";
import { kindOf, operationsFault } from "./accept.ts";
import { shareOut } from "./allocate.ts";
import type { Core } from "./core.ts";
import { executorFor, type GroupPlan, type GroupRefusal, isKnownLaunch, planGroup } from "./launch.ts";
import { limits } from "./limits.ts";
import type { Agent, Framework, Member, Offer } from "./model.ts";
import { expiresAtMs, freeResources } from "./offers.ts";
import { takesTasks } from "./operator/standing.ts";
import { partsOverlap } from "./ports.ts";
import type { Hold } from "./preemption/model.ts";
import { quotaFaultOf } from "./quota-claims.ts";
import { idleFor, volumesFor } from "./set-aside/books.ts";
import type { ReservedShare } from "./set-aside/model.ts";
import { joinShares, plainOf, sumOf, takeFrom, withoutShares } from "./set-aside/shares.ts";
import { idFault } from "./validate.ts";

/** A claim that can be granted, with what it takes. */
export interface ClaimPlan {
  readonly claim: Claim;
  readonly agent: Agent;
  readonly member: Member;
  readonly launches: readonly GroupPlan[];
  /** Groups that were launched before. */
  readonly repeated: readonly TaskGroup[];
}

export function isClaimRefusal(plan: ClaimPlan | Refusal): plan is Refusal {
  return "kind" in plan;
}

/** What the claims of one set would take together. Nothing is taken while it is drawn up. */
export class ClaimDraft {
  readonly #core: Core;
  readonly #framework: Framework;
  /** Offers whose resources are needed. */
  readonly taken: Set<Offer> = new Set();
  /** Room that was made for the framework and is needed. */
  readonly used: Set<Hold> = new Set();
  /** What the set takes of each agent, and for each role. */
  readonly #needs = new Map<Agent, Resources>();
  readonly #roleNeeds = new Map<Member, Resources>();
  /** What of that comes out of reservations is not among it. */
  readonly #drawn = new Map<Agent, readonly ReservedShare[]>();
  readonly #taskIds = new Set<string>();
  readonly #ports = new Map<Agent, PortPart[]>();
  readonly #volumes = new Set<string>();
  readonly #executors = new Set<string>();

  constructor(core: Core, framework: Framework) {
    this.#core = core;
    this.#framework = framework;
  }

  /** O(tasks of the claim + offers of the agent). */
  plan(claim: Claim, field: string): ClaimPlan | Refusal {
    const framework = this.#framework;
    const fault = claimFault(framework, claim, field);
    if (fault !== undefined) return fault;
    const agent = this.#core.state.agents.get(claim.agentId);
    const member = framework.members.get(claim.role);
    if (agent === undefined || member === undefined)
      return claimRefusal("not-found", `there is no agent ${claim.agentId}`, `${field}.agent_id`);
    if (agent.state !== "registered") return claimRefusal("stale", `agent ${agent.name} is ${agent.state}`);
    if (!takesTasks(agent))
      return claimRefusal("stale", `agent ${agent.name} is ${agent.standing?.name}: nothing is placed there`);
    const launches: GroupPlan[] = [];
    const repeated: TaskGroup[] = [];
    for (const [index, { launch }] of claim.operations.entries())
      for (const [number, group] of (launch?.groups ?? []).entries()) {
        const path = `${field}.operations[${index}].launch.groups[${number}]`;
        if (isKnownLaunch(framework, group)) {
          repeated.push(group);
          continue;
        }
        const broken = this.#planGroup(agent, member, group, path, launches);
        if (broken !== undefined) return claimRefusal(kinds[broken.why] ?? "invalid", broken.message, broken.field);
      }
    const shortage = this.#take(agent, member, launches);
    return shortage ?? { claim, agent, member, launches, repeated };
  }

  #planGroup(
    agent: Agent,
    member: Member,
    group: TaskGroup,
    path: string,
    launches: GroupPlan[],
  ): GroupRefusal | undefined {
    const framework = this.#framework;
    if (group.tasks.length === 0 || group.tasks.length > limits.tasksPerGroup) {
      const message = `a group has 1 to ${limits.tasksPerGroup} tasks`;
      return { why: "invalid", message, field: `${path}.tasks` };
    }
    const volumes = agent.setAside === undefined ? [] : volumesFor(agent, member.role);
    const plan = planGroup(framework, agent, agent.total, group, path, volumes, `in all on ${agent.name}`);
    if ("why" in plan) return plan;
    const executorKey = `${agent.id} ${group.executor?.executorId}`;
    const executor = this.#executors.has(executorKey)
      ? undefined
      : executorFor({ framework, member, agent, left: agent.total, reserved: [], volumes: [] }, group, path);
    if (executor !== undefined && "why" in executor) return executor;
    if (executor !== undefined) this.#executors.add(executorKey);
    for (const each of executor === undefined ? [plan] : [executor, plan]) {
      const clash = this.#noteNames(agent, each, path);
      if (clash !== undefined) return clash;
      launches.push(each);
    }
    return undefined;
  }

  /** Task ids and fixed ports that an earlier group of the same set has already. */
  #noteNames(agent: Agent, { group, ports, volumes }: GroupPlan, path: string): GroupRefusal | undefined {
    for (const { id } of volumes) {
      const volume = `${agent.id} ${id}`;
      if (this.#volumes.has(volume))
        return { why: "volume", message: `volume ${id} is asked for twice`, field: `${path}.volumes` };
      this.#volumes.add(volume);
    }
    for (const [index, { taskId }] of group.tasks.entries()) {
      if (this.#taskIds.has(taskId))
        return { why: "duplicate", message: `${taskId} is named twice`, field: `${path}.tasks[${index}].task_id` };
      this.#taskIds.add(taskId);
    }
    const asked = this.#ports.get(agent) ?? [];
    const before = asked.length;
    for (const number of ports.numbers) {
      const parts = ports.parts.filter((part) => part.number === number);
      for (const part of parts.length === 0 ? [{ number, protocol: "", ip: "" }] : parts) {
        const clash = asked.slice(0, before).some((other) => other.number === number && partsOverlap(other, part));
        if (clash)
          return { why: "port", message: `port ${number} of ${agent.name} is asked for twice`, field: `${path}.ports` };
        asked.push(part);
      }
    }
    this.#ports.set(agent, asked);
    return undefined;
  }

  /** Finds the resources: what is free first, then what is offered to the framework itself, then to others. */
  #take(agent: Agent, member: Member, launches: readonly GroupPlan[]): Refusal | undefined {
    const { state } = this.#core;
    let more = noResources;
    for (const { need } of launches) more = addResources(more, need);
    // Nobody jumps the queue: what has just become free goes first to whose turn it is.
    shareOut(this.#core, agent);
    more = subtractResources(more, this.#drawReserved(agent, member, more));
    const need = addResources(this.#needs.get(agent) ?? noResources, more);
    const roleNeed = addResources(this.#roleNeeds.get(member) ?? noResources, more);
    let left = this.#roomOn(agent);
    for (const hold of agent.holds) {
      if (containsResources(left, need)) break;
      if (hold.framework !== this.#framework || this.used.has(hold)) continue;
      this.used.add(hold);
      left = this.#roomOn(agent);
    }
    let refused: Offer | undefined;
    for (const offer of this.#inOrder(agent)) {
      if (containsResources(left, need)) break;
      const own = offer.framework === this.#framework;
      if (!own && !staysBehind(member, this.#moreOf(member, roleNeed), offer.member, state.allocator.total)) {
        refused = offer;
        continue;
      }
      this.taken.add(offer);
      left = addResources(left, plainOf(offer));
    }
    const shortage = missingResource(need, left);
    if (shortage !== undefined) {
      const text = `${describeShortage(shortage)} on ${agent.name}`;
      if (refused === undefined) return claimRefusal("stale", text);
      const waitMs = Math.max(0, Math.ceil(expiresAtMs(this.#core, refused) - this.#core.nowMs));
      const whose = `what else it has is offered to ${refused.framework.name}, whose turn comes first`;
      return claimRefusal("unavailable", `${text}: ${whose}`, "", waitMs);
    }
    this.#needs.set(agent, need);
    this.#roleNeeds.set(member, roleNeed);
    return undefined;
  }

  /** What is free on an agent, with the offers and the kept room that the set has taken there already. */
  #roomOn(agent: Agent): Resources {
    let room = freeResources(agent, this.used);
    for (const offer of this.taken) if (offer.agent === agent) room = addResources(room, plainOf(offer));
    return room;
  }

  /** What of a need is met by what is set aside for the role and neither used nor offered. O(reservations of the agent). */
  #drawReserved(agent: Agent, member: Member, need: Resources): Resources {
    if (agent.setAside === undefined) return noResources;
    const drawn = this.#drawn.get(agent) ?? [];
    const shares = takeFrom(withoutShares(idleFor(agent, member.role), drawn), need);
    this.#drawn.set(agent, joinShares(drawn, shares));
    return sumOf(shares);
  }

  /** Why quota forbids the set as it stands; undefined if it does not. O(members and offers of the set x depth). */
  quotaRefusal(): Refusal | undefined {
    const fault = quotaFaultOf(this.#core, this.#roleNeeds, new Set([...this.taken, ...this.used]));
    return fault && claimRefusal(fault.kind, fault.message);
  }

  /** What a role would hold more than now: the offers that it gives up for the claim count no more. */
  #moreOf(member: Member, need: Resources): Resources {
    let more = need;
    for (const each of [...this.taken, ...this.used])
      if (each.member === member) more = subtractResources(more, plainOf(each));
    return more;
  }

  /** Offers of an agent that are not taken yet: the framework's own, then those of whoever has most. */
  #inOrder(agent: Agent): Offer[] {
    const rank = ({ framework, member }: Offer): number => (framework === this.#framework ? 2 : member.role.share);
    return [...agent.offers].filter((offer) => !this.taken.has(offer)).sort((a, b) => rank(b) - rank(a));
  }
}

const kinds: Readonly<Partial<Record<GroupRefusal["why"], ErrorKind>>> = {
  duplicate: "exists",
  port: "stale",
  volume: "stale",
  executor: "stale",
};

function claimFault(framework: Framework, claim: Claim, field: string): Refusal | undefined {
  const bad = idFault(`${field}.claim_id`, claim.claimId) ?? idFault(`${field}.agent_id`, claim.agentId);
  if (bad) return claimRefusal(bad.kind, bad.message, bad.field);
  if (!framework.roles.includes(claim.role))
    return claimRefusal("invalid", `"${claim.role}" is none of the framework's roles`, `${field}.role`);
  const counts = operationsFault(claim.operations, "a claim");
  if (counts !== undefined) return claimRefusal("too-many", counts, `${field}.operations`);
  let groups = 0;
  for (const [index, operation] of claim.operations.entries()) {
    if (operation.launch) groups += operation.launch.groups.length;
    else {
      const kind = kindOf(operation);
      const message = kind === "" ? "an operation says what to do" : "a claim launches; it does nothing else";
      return claimRefusal(kind === "" ? "invalid" : "unsupported", message, `${field}.operations[${index}].${kind}`);
    }
  }
  if (groups === 0) return claimRefusal("invalid", "must launch at least one group", `${field}.operations`);
  return undefined;
}

export function claimRefusal(kind: ErrorKind, message: string, field = "", retryAfterMs = 0): Refusal {
  return { kind, message, field, retryAfterMs };
}

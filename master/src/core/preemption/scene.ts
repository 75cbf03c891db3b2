import { addResources, noResources, priorityDefault, type Resources, subtractResources } from "@muster/foundation";
import { TaskState } from "@muster/proto";
import { largerOf } from "../../allocator/bound.ts";
import { isWithin } from "../../allocator/role.ts";
import type { Core } from "../core.ts";
import type { Agent, Group, Member, Offer, Role } from "../model.ts";
import { usedOf } from "../offers.ts";
import { plainOf, reservedFor } from "../set-aside/shares.ts";
import { groupPorts } from "../tasks.ts";
import { leftOf } from "./budgets.ts";
import { aboveGuarantee, rankOf } from "./rights.ts";
import type { AmountCap, Candidate, CountCap } from "./victims.ts";

/** Something on an agent that could give way. */
export interface Occupant extends Candidate {
  readonly source: { readonly group: Group } | { readonly offer: Offer };
}

/** Who waits for room. */
export interface Waiting {
  readonly member: Member;
  readonly priority: number | undefined;
  /** All that it wants would go towards a guarantee that is not kept. */
  readonly isOwed: boolean;
}

/** A group with what it would give back. */
interface Held {
  readonly group: Group;
  readonly resources: Resources;
  readonly startedAt: number;
}

/** What runs on one agent, as preemption sees it. */
interface Place {
  readonly groups: readonly Held[];
  /** What groups give back that are being ended, for whatever reason. */
  readonly ending: Resources;
}

const noCounts: readonly CountCap[] = Object.freeze([]);

/**
 * Who could give way, and what is kept from that, at one moment. Looks at an agent's tasks once, until somebody there is
 * chosen.
 */
export class Scene {
  /** Groups that were looked at. */
  lookedCount = 0;
  readonly #core: Core;
  readonly #places = new Map<Agent, Place>();
  /** What is being taken from each role, and from those below it. */
  readonly #leaving = new Map<Role, Resources>();
  #amounts = new Map<Role, AmountCap | undefined>();
  #counts = new Map<object, CountCap>();
  /** How many of a budget were foreseen to end. */
  readonly #foreseen = new Map<object, number>();

  constructor(core: Core) {
    this.#core = core;
    for (const group of core.state.preemption.ending) this.#leave(group, sumOf(group));
  }

  /** What is free on an agent for those who do not hold it, when all that is being ended has. O(tasks) the first time. */
  comingRoom(agent: Agent): Resources {
    const used = addResources(usedOf(agent), agent.kept);
    return subtractResources(addResources(agent.total, this.#place(agent).ending), used);
  }

  /** Whether something on the agent is being ended. */
  isEnding(agent: Agent): boolean {
    return this.#place(agent).ending !== noResources;
  }

  /** O(groups and offers of the agent x depth of their roles). */
  occupants(agent: Agent, waiting: Waiting): Occupant[] {
    const found: Occupant[] = [];
    for (const offer of agent.offers) {
      const occupant = waiting.isOwed ? this.#offerOf(offer, waiting) : undefined;
      if (occupant) found.push(occupant);
    }
    for (const held of this.#place(agent).groups) {
      const occupant = this.#groupOf(held, waiting);
      if (occupant) found.push(occupant);
    }
    return found;
  }

  /** Somebody on the agent was told to end. */
  took(agent: Agent, groups: readonly Group[]): void {
    for (const group of groups) this.#leave(group, sumOf(group));
    this.#places.delete(agent);
    this.#amounts = new Map();
    this.#counts = new Map();
  }

  /** The same of those who would be told: their budgets know nothing of it. */
  foresee(agent: Agent, groups: readonly Group[]): void {
    for (const { budget } of groups) if (budget) this.#foreseen.set(budget, (this.#foreseen.get(budget) ?? 0) + 1);
    this.took(agent, groups);
  }

  /** What is offered costs nobody anything: it goes first. Not what is offered to roles that are promised it. */
  #offerOf(offer: Offer, waiting: Waiting): Occupant | undefined {
    const { role } = offer.member;
    if (role.isPromised || role === waiting.member.role) return undefined;
    const { id, made } = offer;
    // What is reserved stays reserved.
    return {
      ...{ id, resources: plainOf(offer), rank: -1, priority: 0, startedAt: made.epochMs },
      ...{ counts: noCounts, amounts: [], source: { offer } },
    };
  }

  #groupOf({ group, resources, startedAt }: Held, waiting: Waiting): Occupant | undefined {
    const { member, priority, budget, launchId, framework } = group;
    const rank = rankOf(
      { role: waiting.member.role, priority: waiting.priority },
      { role: member.role, priority },
      waiting.isOwed,
    );
    if (rank === undefined) return undefined;
    const counts = budget === undefined ? noCounts : [this.#countOf(budget)];
    if (counts.some(({ left }) => left <= 0)) return undefined;
    const amounts: AmountCap[] = [];
    for (let role = member.role; role.parent !== undefined; role = role.parent) {
      const cap = isWithin(waiting.member.role, role) ? undefined : this.#amountOf(role);
      if (cap) amounts.push(cap);
    }
    return {
      ...{ id: `${framework.id} ${launchId}`, resources, rank, priority: priority ?? priorityDefault, startedAt },
      ...{ counts, amounts, source: { group } },
    };
  }

  #countOf(budget: NonNullable<Group["budget"]>): CountCap {
    let cap = this.#counts.get(budget);
    if (cap === undefined) {
      cap = { left: leftOf(this.#core, budget) - (this.#foreseen.get(budget) ?? 0) };
      this.#counts.set(budget, cap);
    }
    return cap;
  }

  #amountOf(role: Role): AmountCap | undefined {
    if (!this.#amounts.has(role)) {
      const left = aboveGuarantee(role, this.#leaving.get(role) ?? noResources);
      this.#amounts.set(role, left && { left });
    }
    return this.#amounts.get(role);
  }

  #leave(group: Group, amount: Resources): void {
    for (let role = group.member.role; role.parent !== undefined; role = role.parent)
      this.#leaving.set(role, addResources(this.#leaving.get(role) ?? noResources, amount));
  }

  #place(agent: Agent): Place {
    let place = this.#places.get(agent);
    if (place === undefined) {
      place = lookAt(agent, this.#core.state.preemption.ending);
      this.lookedCount += place.groups.length;
      this.#places.set(agent, place);
    }
    return place;
  }
}

function lookAt(agent: Agent, chosen: ReadonlySet<Group>): Place {
  const executors = new Set([...agent.executors.values()].map(({ group }) => group));
  const sums = new Map<Group, { resources: Resources; startedAt: number; isEnding: boolean }>();
  for (const task of agent.tasks) {
    const { group } = task;
    let sum = sums.get(group);
    if (sum === undefined) {
      sum = { resources: groupPorts(group), startedAt: task.launchedAt, isEnding: chosen.has(group) };
      sums.set(group, sum);
    }
    sum.resources = addResources(sum.resources, task.resources);
    if (task.kill !== undefined || task.state === TaskState.TASK_KILLING) sum.isEnding = true;
  }
  let ending = noResources;
  const groups: Held[] = [];
  for (const [group, { resources: all, startedAt, isEnding }] of sums) {
    const resources = subtractResources(all, reservedFor(group));
    if (isEnding) ending = addResources(ending, resources);
    // An executor's end is that of all that it serves, perhaps for somebody else's sake.
    else if (!executors.has(group) && group.isPreemptible && group.framework.state !== "completed")
      groups.push({ group, resources, startedAt });
  }
  return { groups, ending };
}

/** What a group uses and would give back to all: what it has of reservations these get back. O(tasks of its agent). */
function sumOf(group: Group): Resources {
  let sum = groupPorts(group);
  for (const task of group.agent.tasks) if (task.group === group) sum = addResources(sum, task.resources);
  return subtractResources(sum, reservedFor(group));
}

/** What there is not enough of, and how much of it. */
export function lackOf(shape: Resources, room: Resources): Resources {
  return largerOf(subtractResources(shape, room), noResources);
}

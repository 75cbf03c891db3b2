import {
  addResources,
  containsResources,
  isEmptyResources,
  noResources,
  type Resources,
  subtractResources,
} from "@muster/foundation";
import { firstAbove, largerOf } from "../../allocator/bound.ts";
import { satisfiesConstraints } from "../allocation-reasons.ts";
import type { Core } from "../core.ts";
import type { Demand } from "../demand-shapes.ts";
import { limits } from "../limits.ts";
import type { Agent, Framework, Group, Member } from "../model.ts";
import { isRefused, rescindOffer } from "../offers.ts";
import { takesTasks } from "../operator/standing.ts";
import { armLook, lookIntervalMs, lookIntervalMsMax } from "./arm.ts";
import { choose, endForRooms, type Room } from "./ending.ts";
import { makeHold } from "./holds.ts";
import { isOwedWhole } from "./rights.ts";
import { lackOf, type Occupant, Scene, type Waiting } from "./scene.ts";
import { chooseVictims, costOf } from "./victims.ts";

/** A demand that is not met, of a role that has part in a guarantee. */
interface Waiter {
  readonly framework: Framework;
  readonly member: Member;
  readonly demand: Demand;
}

/**
 * Makes room for what waits in vain, by ending others: the most important first. The next look is planned while anything
 * waits. O(waiting demands x agents + groups of the agents that are looked at x depth), at most
 * `limits.groupsPerLook` groups.
 */
export function lookForRoom(core: Core): void {
  const { allocator, awaited, preemption } = core.state;
  preemption.isArmed = false;
  if (!allocator.hasGuarantees) return;
  const { due, isAnyWaiting } = waiters(core);
  // What agents that are still awaited have is not known: nobody is ended for what may be there.
  const isBlind = awaited.size > 0;
  const rooms: Room[] = [];
  if (!isBlind && due.length > 0) {
    const scene = new Scene(core);
    for (const waiter of due) {
      if (rooms.length >= limits.roomsPerLook || scene.lookedCount >= limits.groupsPerLook) break;
      makeRoomFor(core, scene, waiter, rooms);
    }
    endForRooms(core, rooms);
  }
  if (!isAnyWaiting) return;
  const isInVain = due.length > 0 && rooms.length === 0 && !isBlind;
  preemption.intervalMs = isInVain ? Math.min(preemption.intervalMs * 2, lookIntervalMsMax) : lookIntervalMs;
  armLook(core, false);
}

/** What waits, and of that what has waited long enough. O(frameworks + demands). */
function waiters(core: Core): { due: Waiter[]; isAnyWaiting: boolean } {
  const { frameworks } = core.state;
  const due: Waiter[] = [];
  let isAnyWaiting = false;
  for (const framework of frameworks.values()) {
    if (framework.state !== "connected") continue;
    for (const [role, demands] of framework.demands ?? []) {
      const member = framework.members.get(role);
      if (member === undefined || !member.role.isPromised || framework.suppressed.has(role)) continue;
      for (const demand of demands.values()) {
        if (demand.count <= demand.offeredCount) {
          demand.waitsSinceMs = undefined;
          continue;
        }
        if (demand.isPatient) continue;
        isAnyWaiting = true;
        if (isDeciding(framework, demand)) continue;
        demand.waitsSinceMs ??= core.nowMs;
        const hasWaited = core.nowMs - demand.waitsSinceMs >= lookIntervalMs;
        if (hasWaited && demand.quietUntilMs <= core.nowMs) due.push({ framework, member, demand });
      }
    }
  }
  const rank = ({ demand }: Waiter): number => demand.priority ?? 0;
  due.sort((a, b) => rank(b) - rank(a) || a.member.role.share - b.member.role.share);
  return { due, isAnyWaiting };
}

/** It is offered something where it would fit, and has not answered yet. O(offers of the framework). */
function isDeciding({ offers }: Framework, { isWhole, role, shape }: Demand): boolean {
  if (!isWhole) return false;
  for (const offer of offers) if (offer.role === role && containsResources(offer.resources, shape)) return true;
  return false;
}

interface Plan {
  readonly agent: Agent;
  readonly chosen: readonly Occupant[];
  readonly cost: readonly number[];
}

/** Chooses room for as many of a demand as may be. */
function makeRoomFor(core: Core, scene: Scene, waiter: Waiter, rooms: Room[]): void {
  const { allocator } = core.state;
  const { demand, member } = waiter;
  const { shape } = demand;
  let plans: Plan[] | undefined;
  let wasOwed: boolean | undefined;
  while (rooms.length < limits.roomsPerLook && demand.count > demand.offeredCount) {
    allocator.settle();
    if (firstAbove(shape, allocator.room(member.role)) !== undefined) {
      demand.lookedInVain = hasLimit;
      return;
    }
    const isOwed = isOwedWhole(member.role, shape);
    const waiting: Waiting = { member, priority: demand.priority, isOwed };
    if (plans === undefined || wasOwed !== isOwed) plans = plansFor(core, scene, waiter, waiting);
    wasOwed = isOwed;
    const plan = cheapest(core, scene, waiter, waiting, plans);
    if (plan === undefined) {
      demand.lookedInVain = whyInVain(isOwed);
      return;
    }
    rooms.push(takePlan(core, scene, waiter, plan));
    demand.lookedInVain = "";
  }
}

/**
 * What `makeRoomFor` would choose as things are, for as many as asked for, on another agent each; where it comes to an
 * end, why. Ends nobody.
 */
export function roomsFor(
  core: Core,
  waiter: Waiter,
  most: number,
): { rooms: { readonly agent: Agent; readonly groups: readonly Group[] }[]; reason: string } {
  const { allocator, preemption } = core.state;
  const { member, demand } = waiter;
  const { cursor } = preemption;
  const scene = new Scene(core);
  const rooms: { agent: Agent; groups: readonly Group[] }[] = [];
  let plans: Plan[] = [];
  let wanted = demand.shape;
  let wasOwed: boolean | undefined;
  allocator.settle();
  for (; rooms.length < most; wanted = addResources(wanted, demand.shape)) {
    if (firstAbove(wanted, allocator.room(member.role)) !== undefined) return { rooms, reason: hasLimit };
    const isOwed = isOwedWhole(member.role, wanted);
    const waiting: Waiting = { member, priority: demand.priority, isOwed };
    if (wasOwed !== isOwed) {
      const used = new Set(rooms.map(({ agent }) => agent));
      plans = plansFor(core, scene, waiter, waiting).filter(({ agent }) => !used.has(agent));
      preemption.cursor = cursor;
    }
    wasOwed = isOwed;
    const plan = cheapest(core, scene, waiter, waiting, plans);
    if (plan === undefined) return { rooms, reason: whyInVain(isOwed) };
    plans.splice(plans.indexOf(plan), 1);
    const groups = plan.chosen.flatMap(({ source }) => ("group" in source ? source.group : []));
    scene.foresee(plan.agent, groups);
    rooms.push({ agent: plan.agent, groups });
  }
  return { rooms, reason: "" };
}

const hasLimit = "its role has its limit";

function whyInVain(isOwed: boolean): string {
  return isOwed
    ? "nothing that may be ended for it is enough: it is too important, or its budget, or the guarantee of its role, keeps it"
    : "its role has its guarantee, and nothing of the role that is less important is enough";
}

/** What could be done on each agent, the cheapest first. */
function plansFor(core: Core, scene: Scene, waiter: Waiter, waiting: Waiting): Plan[] {
  const { agents, preemption } = core.state;
  const all = [...agents.values()];
  const plans: Plan[] = [];
  const start = preemption.cursor % Math.max(1, all.length);
  for (let step = 0; step < all.length; step++) {
    const agent = all[(start + step) % all.length] as Agent;
    if (scene.lookedCount >= limits.groupsPerLook) {
      preemption.cursor = start + step;
      break;
    }
    const plan = isSuitable(core, waiter, agent) ? planOn(core, scene, waiter, waiting, agent) : undefined;
    if (plan) plans.push(plan);
  }
  return plans.sort(byCost);
}

/** The cheapest that still is what it was: each choice may have used what others counted on. */
function cheapest(core: Core, scene: Scene, waiter: Waiter, waiting: Waiting, plans: Plan[]): Plan | undefined {
  for (let first = plans.shift(); first !== undefined; first = plans.shift()) {
    const now = planOn(core, scene, waiter, waiting, first.agent);
    if (now === undefined) continue;
    const next = plans[0];
    if (next === undefined || byCost(now, next) <= 0) {
      // More of the same may fit there.
      plans.unshift(now);
      return now;
    }
    plans.push(now);
    plans.sort(byCost);
  }
  return undefined;
}

function byCost(a: Plan, b: Plan): number {
  for (const [index, part] of a.cost.entries()) {
    const difference = part - (b.cost[index] ?? 0);
    if (difference !== 0) return difference;
  }
  return a.agent.id < b.agent.id ? -1 : a.agent.id > b.agent.id ? 1 : 0;
}

function isSuitable(core: Core, { framework, demand }: Waiter, agent: Agent): boolean {
  if (agent.state !== "registered" || !takesTasks(agent)) return false;
  if (demand.places !== undefined && !demand.places.has(agent.id)) return false;
  if (!demand.constraints.every((one) => one.holds(agent.attributeValues.get(one.attribute)))) return false;
  return (
    satisfiesConstraints(framework, agent, demand.role) && !isRefused(core, framework, agent, demand.role, demand.shape)
  );
}

function planOn(
  core: Core,
  scene: Scene,
  { demand, member }: Waiter,
  waiting: Waiting,
  agent: Agent,
): Plan | undefined {
  const { shape } = demand;
  const lack = lackOf(shape, scene.comingRoom(agent));
  if (isEmptyResources(lack)) {
    // What is free already is offered, or kept back for a reason that ending others does not take away.
    if (!scene.isEnding(agent) || !waiting.isOwed) return undefined;
    return { agent, chosen: [], cost: costOf([]) };
  }
  const chosen = chooseVictims(lack, scene.occupants(agent, waiting));
  if (chosen === undefined) return undefined;
  return isWithinBounds(core, member, shape, chosen) ? { agent, chosen, cost: costOf(chosen) } : undefined;
}

/** What the role would have more than now: neither above a limit, nor out of what others are promised. O(depth). */
function isWithinBounds(core: Core, member: Member, shape: Resources, chosen: readonly Occupant[]): boolean {
  let given = noResources;
  for (const { source, resources } of chosen)
    if ("group" in source && source.group.member.role === member.role) given = addResources(given, resources);
  const more = largerOf(subtractResources(shape, given), noResources);
  const bound = core.state.allocator.allowance(member.role);
  return bound === undefined || firstAbove(more, bound) === undefined;
}

/** From now on it is so: what was chosen is counted on by nobody else. Who is ended is told when it may be. */
function takePlan(core: Core, scene: Scene, { framework, member, demand }: Waiter, { agent, chosen }: Plan): Room {
  const groups: Group[] = [];
  for (const { source } of chosen)
    if ("group" in source) groups.push(source.group);
    else rescindOffer(core, source.offer, `it is needed for the guarantee of role ${member.role.name}`);
  choose(core, groups);
  scene.took(agent, groups);
  return { hold: makeHold(core, agent, framework, member, demand), groups, sinceMs: core.nowMs };
}

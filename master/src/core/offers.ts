import {
  addResources,
  containsResources,
  isEmptyResources,
  noResources,
  type Resources,
  resources,
  subtractResources,
} from "@muster/foundation";
import type { Filters } from "@muster/proto";
import type { Core } from "./core.ts";
import { backoffMs } from "./declines.ts";
import { countOffered } from "./demand-counts.ts";
import type { DemandedPart } from "./demand-shapes.ts";
import { limits, refuseMsDefault, refuseMsMax, refuseMsMin } from "./limits.ts";
import { type Agent, type Filter, type Framework, type Member, Offer } from "./model.ts";
import type { Hold } from "./preemption/model.ts";
import { moveShares } from "./set-aside/books.ts";
import type { ReservedShare, Volume } from "./set-aside/model.ts";
import { plainOf } from "./set-aside/shares.ts";

const noHolds: ReadonlySet<Hold> = new Set();

/**
 * What of an agent can be offered: what nobody uses or is offered, and is not kept for somebody, but for what is kept by
 * `given`. Never negative.
 */
export function freeResources(agent: Agent, given = noHolds): Resources {
  if (agent.kept === noResources) return unusedResources(agent);
  let { kept } = agent;
  for (const hold of given) if (hold.agent === agent) kept = subtractResources(kept, hold.resources);
  return atLeastNothing(subtractResources(unusedResources(agent), kept));
}

/** What tasks use, what is offered, and what is set aside for some roles. */
export function usedOf({ allocated, offered, setAside }: Agent): Resources {
  const used = offered === noResources ? allocated : addResources(allocated, offered);
  return setAside === undefined ? used : addResources(used, setAside.idle);
}

/** What of an agent neither tasks use nor offers hold, nor is set aside. Never negative, even if the agent has shrunk below its use. */
export function unusedResources(agent: Agent): Resources {
  const { total } = agent;
  const used = usedOf(agent);
  return atLeastNothing(used === noResources ? total : subtractResources(total, used));
}

function atLeastNothing(free: Resources): Resources {
  if (free.cpuMillis >= 0 && free.memoryMiB >= 0 && free.diskMiB >= 0 && free.portCount >= 0) {
    let negative = false;
    for (const name in free.custom) if ((free.custom[name] ?? 0) < 0) negative = true;
    if (!negative) return free;
  }
  const custom: Record<string, number> = {};
  for (const name in free.custom) if ((free.custom[name] ?? 0) > 0) custom[name] = free.custom[name] ?? 0;
  return resources({
    cpuMillis: Math.max(0, free.cpuMillis),
    memoryMiB: Math.max(0, free.memoryMiB),
    diskMiB: Math.max(0, free.diskMiB),
    portCount: Math.max(0, free.portCount),
    custom,
  });
}

/** Something that a task could run on: neither a processor nor memory alone is nothing. */
export function isOfferable(free: Resources): boolean {
  return !isEmptyResources(free) && (free.cpuMillis !== 0 || free.memoryMiB !== 0);
}

const nothingDemanded: readonly DemandedPart[] = Object.freeze([]);
const nothingReserved: readonly ReservedShare[] = Object.freeze([]);
const noVolumes: readonly Volume[] = Object.freeze([]);

/** Gives free resources of an agent to one framework, for a while. O(1), about 300 bytes, but for demands and reservations. */
export function makeOffer(
  core: Core,
  agent: Agent,
  member: Member,
  amount: Resources,
  demanded: readonly DemandedPart[] = nothingDemanded,
  reserved: readonly ReservedShare[] = nothingReserved,
  volumes: readonly Volume[] = noVolumes,
): void {
  const { state } = core;
  const framework = member.owner;
  const number = ++state.offerCount;
  const offer = new Offer(
    number,
    state.offers.idOf(number),
    agent,
    member,
    amount,
    core.now,
    demanded,
    reserved,
    volumes,
  );
  state.offers.add(offer);
  agent.offers.add(offer);
  framework.offers.add(offer);
  agent.offered = agent.offered === noResources ? amount : addResources(agent.offered, amount);
  framework.offered.add(amount);
  framework.offersSent++;
  if (demanded.length > 0) countOffered(core, framework, demanded, 1);
  if (reserved.length === 0) state.allocator.hold(member, amount, agent.counted);
  else holdShares(core, offer, 1);
  for (const volume of volumes) volume.holder = offer;
  state.changedAgents.add(agent);
  state.changedFrameworks.add(framework);
  core.offerMade(offer);
  core.count("offers", "made");
}

/** Takes an offer out of the books; its resources are free again, and the agent is to be looked at. */
export function endOffer(core: Core, offer: Offer, outcome: string): void {
  const { state } = core;
  if (!state.offers.delete(offer)) return;
  const { agent, framework } = offer;
  agent.offers.delete(offer);
  framework.offers.delete(offer);
  agent.offered = agent.offers.size === 0 ? noResources : subtractResources(agent.offered, offer.resources);
  framework.offered.subtract(offer.resources);
  if (offer.reserved.length === 0) state.allocator.release(offer.member, offer.resources, agent.counted);
  else holdShares(core, offer, -1);
  for (const volume of offer.volumes) if (volume.holder === offer) volume.holder = undefined;
  if (offer.demanded.length > 0) countOffered(core, framework, offer.demanded, -1);
  state.dirty.add(agent);
  state.changedAgents.add(agent);
  state.changedFrameworks.add(framework);
  core.event({ offerEnded: { offerId: offer.id, outcome } });
}

/** Books an offer in which something is reserved, or takes it out of the books. */
function holdShares(core: Core, offer: Offer, sign: 1 | -1): void {
  const { allocator } = core.state;
  const { member, agent, reserved } = offer;
  moveShares(agent, reserved, sign);
  if (sign === 1) allocator.hold(member, plainOf(offer), agent.counted);
  else allocator.release(member, plainOf(offer), agent.counted);
  for (const { reservation, resources: amount } of reserved)
    if (sign === 1) allocator.holdReserved(member, amount, reservation.role);
    else allocator.releaseReserved(member, amount, reservation.role);
}

/** Ends an offer and tells its framework. */
export function rescindOffer(core: Core, offer: Offer, reason: string): void {
  endOffer(core, offer, `rescinded: ${reason}`);
  core.count("offers_ended", "rescinded");
  core.toFramework(offer.framework, "rescinds", { offerId: offer.id, reason }, 64);
}

/** When an offer ends by itself, in monotonic milliseconds. */
export function expiresAtMs({ state }: Core, { made }: Offer): number {
  return made.monotonicMs + state.settings.offerTimeoutMs;
}

/** Rescinds what was not answered in time. O(ended offers): offers are kept in the order in which they end. */
export function rescindLateOffers(core: Core): void {
  for (const offer of core.state.offers.values()) {
    if (expiresAtMs(core, offer) > core.nowMs) return;
    rescindOffer(core, offer, "not answered in time");
  }
}

/** How long a refusal lasts: 5 s if nothing or nonsense is said, 365 days at most. */
export function refuseMs(filters: Filters | null): number {
  const wanted = filters?.refuseMs;
  if (wanted === undefined || wanted === null || !(wanted >= 0)) return refuseMsDefault;
  return Math.min(wanted, refuseMsMax);
}

/** Keeps resources of an agent away from a framework for a while. */
export function addFilter(
  core: Core,
  framework: Framework,
  agent: Agent,
  role: string,
  refused: Resources,
  askedMs: number,
): void {
  const wantedMs = Math.max(askedMs, backoffMs(core, framework));
  const untilChange = wantedMs < refuseMsMin;
  const lastsMs = Math.max(wantedMs, refuseMsMin);
  const filter: Filter = {
    agent,
    role,
    resources: refused,
    endsAtMs: core.nowMs + lastsMs,
    changeCount: untilChange ? agent.changeCount : -1,
  };
  framework.filters ??= new Map();
  let filters = framework.filters.get(agent);
  if (filters === undefined) {
    filters = [];
    framework.filters.set(agent, filters);
  }
  // What the new one refuses for longer needs no filter of its own.
  for (let i = filters.length - 1; i >= 0; i--) {
    const old = filters[i] as Filter;
    if (
      old.role === role &&
      old.endsAtMs <= filter.endsAtMs &&
      filter.changeCount === -1 &&
      containsResources(refused, old.resources)
    )
      filters.splice(i, 1);
  }
  if (filters.length >= limits.filtersPerAgent) {
    filters.sort((a, b) => a.endsAtMs - b.endsAtMs);
    filters.shift();
  }
  filters.push(filter);
  core.after(lastsMs, { type: "filter", framework, filter });
}

/** Whether the framework has refused this much of the agent, or more, and still does. O(filters of that agent). */
export function isRefused(core: Core, framework: Framework, agent: Agent, role: string, amount: Resources): boolean {
  const filters = framework.filters?.get(agent);
  if (filters === undefined) return false;
  for (const filter of filters) {
    if (filter.role !== role || filter.endsAtMs <= core.nowMs) continue;
    if (filter.changeCount !== -1 && filter.changeCount !== agent.changeCount) continue;
    if (containsResources(filter.resources, amount)) return true;
  }
  return false;
}

export function dropFilter(core: Core, framework: Framework, filter: Filter): void {
  const filters = framework.filters?.get(filter.agent);
  const index = filters?.indexOf(filter) ?? -1;
  if (filters === undefined || index < 0) return;
  filters.splice(index, 1);
  if (filters.length === 0) framework.filters?.delete(filter.agent);
  core.state.dirty.add(filter.agent);
}

/** Forgets what a framework refused, in one role or in all. */
export function clearFilters(core: Core, framework: Framework, role?: string): void {
  const { filters: refused } = framework;
  if (refused === undefined) return;
  for (const [agent, filters] of refused) {
    const rest = role === undefined ? [] : filters.filter((filter) => filter.role !== role);
    if (rest.length === 0) refused.delete(agent);
    else refused.set(agent, rest);
    core.state.dirty.add(agent);
  }
}

/** An agent that is something else now is not what was refused. */
export function clearFiltersOn(core: Core, agent: Agent): void {
  for (const framework of core.state.frameworks.values()) framework.filters?.delete(agent);
}

/** Whether an amount is worth an offer: one of the amounts that the minimum names is reached. */
export function reachesMinimum(amount: Resources, minimum: Resources): boolean {
  let named = false;
  const reached = (have: number, need: number): boolean => {
    if (need <= 0) return false;
    named = true;
    return have >= need;
  };
  if (reached(amount.cpuMillis, minimum.cpuMillis)) return true;
  if (reached(amount.memoryMiB, minimum.memoryMiB)) return true;
  if (reached(amount.diskMiB, minimum.diskMiB)) return true;
  if (reached(amount.portCount, minimum.portCount)) return true;
  for (const name in minimum.custom)
    if (reached(Object.hasOwn(amount.custom, name) ? (amount.custom[name] ?? 0) : 0, minimum.custom[name] ?? 0))
      return true;
  return !named && amount !== noResources;
}

import {
  addResources,
  containsResources,
  formatResources,
  isNegativeResources,
  isTerminal,
  noResources,
  type Resources,
  subtractResources,
} from "@muster/foundation";
import type { AgentRecord } from "@muster/proto";
import { isWithin } from "./role-names.ts";
import { type Checker, type MasterView, type Violation, violation } from "./view.ts";

/**
 * What is set aside on an agent is idle, offered or used, and nothing of it twice; parts of a reservation fit into it; and
 * only roles that it is for, and those below, are offered it.
 */
export const reservationsConserved: Checker = (view) =>
  view.agents.flatMap((agent) => [...checkSums(view, agent), ...checkParts(agent), ...checkOffers(view, agent)]);

/** A volume lies in a reservation that is there, and has one holder at most: an offer, or a launch that lives. */
export const volumesKept: Checker = (view) => view.agents.flatMap((agent) => checkVolumes(view, agent));

function checkSums(view: MasterView, agent: AgentRecord): Violation[] {
  const reserved = sum(agent.reservations.filter((one) => one.refinedId === "").map(({ resources }) => resources));
  const offered = sum(offersOf(view, agent).flatMap((offer) => offer.reserved.map(({ resources }) => resources)));
  const [idle, allocated] = [agent.setAside ?? noResources, agent.allocated ?? noResources];
  const used = subtractResources(subtractResources(reserved, idle), offered);
  if (!isNegativeResources(used) && containsResources(allocated, used)) return [];
  const detail = `reserved ${formatResources(reserved)}, idle ${formatResources(idle)}, offered ${formatResources(offered)}, in use at all ${formatResources(allocated)}`;
  return [violation("reserved-sum", agent.agentId, detail)];
}

function checkParts({ agentId, reservations, volumes }: AgentRecord): Violation[] {
  return reservations.flatMap(({ reservationId, role, resources }) => {
    const refined = reservations.filter(({ refinedId }) => refinedId === reservationId);
    const ofVolumes = volumes.filter((volume) => volume.reservationId === reservationId);
    const diskMiB = ofVolumes.reduce((all, volume) => all + volume.diskMiB, 0);
    const parts = addResources(sum(refined.map((one) => one.resources)), { ...noResources, diskMiB });
    const found: Violation[] = [];
    if (!containsResources(resources ?? noResources, parts)) {
      const detail = `${reservationId} has ${formatResources(resources ?? noResources)}, of which ${formatResources(parts)} are refined or volumes`;
      found.push(violation("reservation-parts", agentId, detail));
    }
    for (const one of refined) {
      if (one.role !== role && isWithin(one.role, role)) continue;
      const detail = `${one.reservationId} for ${one.role} is refined out of ${role}'s`;
      found.push(violation("reservation-role", agentId, detail));
    }
    return found;
  });
}

function checkOffers(view: MasterView, agent: AgentRecord): Violation[] {
  const roles = new Map(agent.reservations.map(({ reservationId, role }) => [reservationId, role]));
  return offersOf(view, agent).flatMap(({ offerId, role, reserved }) =>
    reserved.flatMap(({ reservationId }) => {
      const of = roles.get(reservationId);
      if (of !== undefined && isWithin(role, of)) return [];
      const whose = of === undefined ? "there is no such one" : `it is for ${of}`;
      return [violation("reservation-role", agent.agentId, `${offerId} gives ${role} of ${reservationId}: ${whose}`)];
    }),
  );
}

function checkVolumes(view: MasterView, agent: AgentRecord): Violation[] {
  const reservations = new Set(agent.reservations.map(({ reservationId }) => reservationId));
  const living = view.tasks.filter((task) => task.agentId === agent.agentId && !isTerminal(task.status?.state ?? 0));
  const launches = new Set(living.map(({ launchId }) => launchId));
  const offers = offersOf(view, agent);
  return agent.volumes.flatMap(({ volumeId, reservationId, launchId }) => {
    const found: Violation[] = [];
    const add = (rule: string, detail: string): void => void found.push(violation(rule, agent.agentId, detail));
    if (!reservations.has(reservationId)) add("volume-homeless", `${volumeId}: no reservation ${reservationId}`);
    const offered = offers.filter(({ volumeIds }) => volumeIds.includes(volumeId)).map(({ offerId }) => offerId);
    const holders = launchId === "" ? offered : [launchId, ...offered];
    if (holders.length > 1) add("volume-twice", `${volumeId} is held by ${holders.join(" and ")}`);
    if (launchId !== "" && !launches.has(launchId)) add("volume-stuck", `${volumeId}: no task of ${launchId} lives`);
    return found;
  });
}

function offersOf(view: MasterView, { agentId }: AgentRecord): MasterView["offers"] {
  return view.offers.filter((offer) => offer.agentId === agentId);
}

function sum(amounts: readonly (Resources | null)[]): Resources {
  return amounts.reduce<Resources>((all, one) => addResources(all, one ?? noResources), noResources);
}

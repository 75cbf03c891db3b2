import { type AgentTraits, Matcher, type Occupants, type Offer, type Random, type Room } from "@muster/framework-sdk";
import { makeVolumeId } from "./ids.ts";
import { agentsOf, combineOffers, failedOn, isOfferLeft, occupancyKey } from "./launching.ts";
import type { KeptVolume, Now, ServicesState, Want } from "./model.ts";
import { homesWithout, lackingVolumes, slotVolumes } from "./volumes.ts";

/** Volumes that one pass plans at most: they are one write of State. */
export const plannedMax = 100;

/** What agents may be chosen of, and what is known of the others. */
export interface Offered {
  readonly offers: readonly Offer[];
  readonly others: Iterable<AgentTraits>;
  readonly random: Random;
}

/**
 * Chooses the agents of places whose instances want volumes and have none yet. Nothing is launched: where a volume is to lie
 * must be durable before it is made. A place that has some of its volumes gets the others on the same agent.
 * O(places × offers).
 */
export function planVolumes(
  state: ServicesState,
  wants: readonly Want[],
  { offers, others, random }: Offered,
  now: Now,
): KeptVolume[] {
  const planned: KeptVolume[] = [];
  const lacking = wants.filter(({ entry, group, slot }) => lackingVolumes(entry, group, slot.index).length > 0);
  for (const role of new Set(lacking.map((want) => want.role))) {
    const rooms = combineOffers(offers.filter((offer) => offer.role === role && !isOfferLeft(offer, now)));
    const matcher = new Matcher([...rooms.values()], random, others);
    const occupants = new Map<string, Occupants>();
    for (const want of lacking) {
      if (want.role !== role) continue;
      const home = homeFor(want, rooms, matcher, occupants);
      if (home === undefined) continue;
      const made = volumesFor(state, want, home, now);
      if (planned.length + made.length > plannedMax) return planned;
      planned.push(...made);
    }
  }
  return planned;
}

function homeFor(
  want: Want,
  rooms: ReadonlyMap<string, Room>,
  matcher: Matcher,
  occupants: Map<string, Occupants>,
): { agentId: string; agentName: string } | undefined {
  const { entry, group, slot } = want;
  const [first] = slotVolumes(entry, group, slot.index);
  if (first) return first.record;
  if (rooms.size === 0) return undefined;
  const key = occupancyKey(want);
  const there = occupants.get(key) ?? matcher.occupants([...agentsOf(want), ...homesWithout(entry, group.name)]);
  occupants.set(key, there);
  const found = matcher.place({ ...want.need, avoids: failedOn(want) }, there);
  return "placed" in found ? found.placed : undefined;
}

function volumesFor(
  state: ServicesState,
  { entry, version, group, slot, role }: Want,
  { agentId, agentName }: { agentId: string; agentName: string },
  now: Now,
): KeptVolume[] {
  return lackingVolumes(entry, group, slot.index).map(({ name, sizeMiB }) => ({
    record: {
      volumeId: makeVolumeId(entry.name, group.name, slot.index, name, state.epoch, ++state.launchCount),
      job: entry.name,
      group: group.name,
      index: slot.index,
      name,
      agentId,
      agentName,
      diskMiB: sizeMiB,
      role,
      version: version.record.version,
    },
    isKept: false,
    isMade: false,
    plannedMs: now.monotonicMs,
  }));
}

import {
  type AgentTraits,
  addResources,
  destroyVolume,
  isLeavingOffer,
  type TaskGroup as LaunchGroup,
  Matcher,
  type Need,
  type Occupants,
  type Offer,
  type Operation,
  pinnedTo,
  type Random,
  type Room,
  resources,
  roomOf,
  unreserve,
} from "@muster/framework-sdk";
import { isPassing, ownVolumes } from "@muster/jobspecs";
import { buildLaunch } from "./build.ts";
import { freshInstance, freshTask } from "./fresh.ts";
import { makeInstanceId, makeLaunchId } from "./ids.ts";
import { type JobEntry, type Now, type ServicesState, slotKeyOf, type Want } from "./model.ts";
import { filesOf } from "./sticky.ts";
import { type OfferedVolumes, slotVolumes, volumeSteps } from "./volumes.ts";

/** What to do with the offers of one agent and role. */
export interface Answer {
  readonly role: string;
  readonly offerIds: readonly string[];
  /** None: they are declined. */
  readonly groups: readonly LaunchGroup[];
  /** Steps before the launches: they make the volumes of some. */
  readonly before: readonly Operation[];
  /** Steps after them: they remove volumes that were given up. */
  readonly after: readonly Operation[];
}

/**
 * Places what is wanted on what is offered: the most important job first, then what has waited longest. Every offer is
 * answered. O(groups × offers + wants × log offers).
 */
export function launchWants(
  state: ServicesState,
  wants: readonly Want[],
  offers: readonly Offer[],
  others: Iterable<AgentTraits>,
  random: Random,
  now: Now,
): { answers: Answer[]; unplaced: Want[] } {
  const answers: Answer[] = [];
  const unplaced: Want[] = [];
  const roles = new Set([...offers.map((offer) => offer.role), ...wants.map((want) => want.role)]);
  for (const role of roles) {
    const inRole = offers.filter((offer) => offer.role === role);
    const rooms = combineOffers(inRole.filter((offer) => !isOfferLeft(offer, now)));
    const matcher = new Matcher([...rooms.values()], random, others);
    const doings = new Map<string, Doing>();
    const occupants = new Map<string, Occupants>();
    // One need for all instances of a group: the matcher then looks for a place from where it was.
    const needs = new Map<JobEntry, Map<string, Need>>();
    const inOrder = wants.filter((want) => want.role === role).sort(byUrgency);
    for (const want of inOrder) {
      const key = occupancyKey(want);
      let there = occupants.get(key);
      if (there === undefined) {
        there = matcher.occupants(agentsOf(want));
        occupants.set(key, there);
      }
      const { unreservedDiskMiB = 0 } = want.need;
      const groupKey = `${slotKeyOf(want.entry, want.version, want.group.name, 0)} ${unreservedDiskMiB}`;
      const jobNeeds = needs.get(want.entry) ?? new Map<string, Need>();
      needs.set(want.entry, jobNeeds);
      const need = jobNeeds.get(groupKey) ?? { ...want.need, avoids: failedOn(want) };
      jobNeeds.set(groupKey, need);
      const steps = stepsFor(want, rooms, doings);
      const found = rooms.size === 0 || steps === undefined ? undefined : findPlace(matcher, want, need, there);
      if (steps === undefined || found === undefined || !("placed" in found)) {
        unplaced.push(want);
        if (rooms.size > 0) want.entry.offersSeen = { count: inRole.length, atMs: now.monotonicMs };
        continue;
      }
      const group = launch(state, want, found.placed.agentId, found.placed.agentName, now);
      const doing = doings.get(found.placed.agentId) ?? { groups: [], before: [] };
      doings.set(found.placed.agentId, doing);
      doing.groups.push(group);
      doing.before.push(...steps);
    }
    const nothing = { groups: [], before: [], after: [] };
    for (const offer of inRole)
      if (isOfferLeft(offer, now)) answers.push({ role, offerIds: [offer.offerId], ...nothing });
    for (const room of rooms.values())
      answers.push({
        ...{ role, offerIds: room.offerIds, ...nothing, ...doings.get(room.agentId) },
        after: removals(state, role, room),
      });
  }
  return { answers, unplaced };
}

/** Steps of one accept: what is beyond waits for the next offer. */
const stepsMax = 200;

interface OfferedRoom extends Room, OfferedVolumes {
  readonly offerIds: string[];
}

/** What is to be done with a room. */
interface Doing {
  readonly groups: LaunchGroup[];
  readonly before: Operation[];
}

/** Where its files are comes first, also when any other agent will do. */
function findPlace(matcher: Matcher, { slot, predecessor }: Want, need: Need, there: Occupants) {
  if (slot.agentId !== undefined || predecessor === undefined) return matcher.place(need, there, slot.agentId);
  const home = matcher.place(need, there, predecessor.agentId);
  return "placed" in home ? home : matcher.place(need, there);
}

/** Its agent is wanted back soon: nothing is started there. */
export function isOfferLeft(offer: Offer, now: Now): boolean {
  return isLeavingOffer(offer, now.epochMs);
}

/** The steps that make the volumes of a place; undefined: it can't be filled by these offers. */
function stepsFor(
  want: Want,
  rooms: ReadonlyMap<string, OfferedRoom>,
  doings: ReadonlyMap<string, Doing>,
): Operation[] | undefined {
  if (ownVolumes(want.group).length === 0) return [];
  const { agentId = "" } = want.slot;
  const room = rooms.get(agentId);
  const steps = room && volumeSteps(want, room);
  return steps && steps.length + (doings.get(agentId)?.before.length ?? 0) <= stepsMax ? steps : undefined;
}

/** What of a room was given up: first the volumes, and in a later offer what they lay in. O(released). */
function removals(state: ServicesState, role: string, { agentId, volumeIds, reservedMiB }: OfferedRoom): Operation[] {
  const steps: Operation[] = [];
  for (const { record } of state.released.values()) {
    if (record.agentId !== agentId || record.role !== role || steps.length >= stepsMax) continue;
    if (volumeIds.has(record.volumeId)) steps.push(destroyVolume(record.volumeId));
    else if (reservedMiB.get(record.volumeId) === record.diskMiB) steps.push(unreserve(record.volumeId));
  }
  return steps;
}

/** Offers of one agent and role can be used together. */
export function combineOffers(offers: readonly Offer[]): Map<string, OfferedRoom> {
  const rooms = new Map<string, OfferedRoom>();
  for (const offer of offers) {
    const present = rooms.get(offer.agentId);
    if (present === undefined) {
      rooms.set(offer.agentId, { ...roomOf(offer), ...volumesOf([offer]), offerIds: [offer.offerId] });
      continue;
    }
    const available = addResources(present.available, resources(offer.resources));
    const unreservedDiskMiB = (present.unreservedDiskMiB ?? 0) + (roomOf(offer).unreservedDiskMiB ?? 0);
    const offerIds = [...present.offerIds, offer.offerId];
    const together = volumesOf(offers.filter((one) => offerIds.includes(one.offerId)));
    rooms.set(offer.agentId, { ...present, ...together, available, unreservedDiskMiB, offerIds });
  }
  return rooms;
}

const noVolumes: OfferedVolumes = { volumeIds: new Set(), reservedMiB: new Map() };

function volumesOf(offers: readonly Offer[]): OfferedVolumes {
  if (offers.every(({ volumes, reserved }) => volumes.length + reserved.length === 0)) return noVolumes;
  const reservedMiB = new Map<string, number>();
  for (const { reservationId, resources: amounts } of offers.flatMap(({ reserved }) => reserved))
    reservedMiB.set(reservationId, (reservedMiB.get(reservationId) ?? 0) + (amounts?.diskMiB ?? 0));
  return { volumeIds: new Set(offers.flatMap(({ volumes }) => volumes.map(({ volumeId }) => volumeId))), reservedMiB };
}

function byUrgency(a: Want, b: Want): number {
  return (
    b.entry.current.job.priority - a.entry.current.job.priority ||
    a.sinceMs - b.sinceMs ||
    (a.entry.name < b.entry.name ? -1 : a.entry.name > b.entry.name ? 1 : a.slot.index - b.slot.index)
  );
}

/** Whose neighbours count: with a constraint of the whole job, those of all its groups. */
export function occupancyKey({ entry, group }: Want): string {
  return isJobWide(entry) ? entry.name : `${entry.name}/${group.name}`;
}

function isJobWide(entry: JobEntry): boolean {
  return entry.current.job.constraints.some(
    ({ operator }) => operator === "distinct_hosts" || operator === "distinct_property",
  );
}

/** Agents of the instances that count as neighbours: those too that end, until they have. */
export function agentsOf({ entry, group }: Want): string[] {
  const wide = isJobWide(entry);
  const agentIds: string[] = [];
  for (const instance of entry.instances.values())
    if (instance.agentId !== "" && (wide || instance.group === group.name)) agentIds.push(instance.agentId);
  return agentIds;
}

/** Agents on which instances of that group have failed of late: one bad machine is not to hold it up. */
export function failedOn({ entry, group }: Want): ReadonlySet<string> {
  const agentIds = new Set<string>();
  for (const [key, restarts] of entry.restarts)
    if (key.startsWith(`${group.name}/`)) for (const agentId of restarts.failedOn) agentIds.add(agentId);
  return agentIds;
}

/** Instances of system jobs belong to one agent each, and those with volumes to that of their volumes. */
export function pinnedNeed({ need, slot }: Want): Need {
  return slot.agentId === undefined ? need : pinnedTo(need, slot.agentId);
}

/** Books a new instance and builds its launch. */
function launch(state: ServicesState, want: Want, agentId: string, agentName: string, now: Now): LaunchGroup {
  const { entry, group, slot } = want;
  const { version } = want.version.record;
  const instanceId = makeInstanceId(state.epoch, ++state.launchCount);
  const launchId = makeLaunchId(version, instanceId);
  const made = buildLaunch(want.version.job, group, {
    ...{ index: slot.index, version, instanceId, launchId },
    volumes: slotVolumes(entry, group, slot.index).map(({ record: { volumeId, name } }) => ({ volumeId, name })),
    files: filesOf(want.version.record, group, want.predecessor, agentId),
  });
  const checked = want.version.checked.get(group.name) ?? [];
  const instance = freshInstance({
    ...{ id: instanceId, launchId, jobName: entry.name, group: group.name, index: slot.index, version },
    taskCount: group.tasks.filter((task) => !isPassing(task)).length,
    ...{ agentId, agentName, launchedMs: now.monotonicMs },
  });
  const passing = group.tasks.map(isPassing);
  for (const [ordinal, { taskId, name }] of made.tasks.entries()) {
    const hasChecks = checked[ordinal] ?? false;
    instance.tasks.set(taskId, freshTask({ taskId, name, hasChecks, isPassing: passing[ordinal] ?? false }));
    state.byTask.set(taskId, instance);
  }
  entry.instances.set(instance.id, instance);
  entry.waiting.delete(slotKeyOf(entry, want.version, group.name, slot.index));
  return made;
}

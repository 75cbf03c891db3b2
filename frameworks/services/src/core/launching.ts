import {
  type AgentTraits,
  addResources,
  Health,
  isLeavingOffer,
  type TaskGroup as LaunchGroup,
  Matcher,
  type Need,
  type Occupants,
  type Offer,
  pinnedTo,
  type Random,
  type Room,
  resources,
  roomOf,
  TaskState,
} from "@muster/framework-sdk";
import { isPassing } from "@muster/jobspecs";
import { buildLaunch } from "./build.ts";
import { makeInstanceId, makeLaunchId } from "./ids.ts";
import { type Instance, type JobEntry, type Now, type ServicesState, slotKeyOf, type Want } from "./model.ts";

/** What to do with the offers of one agent and role. */
export interface Answer {
  readonly role: string;
  readonly offerIds: readonly string[];
  /** None: they are declined. */
  readonly groups: readonly LaunchGroup[];
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
    const isLeaving = (offer: Offer): boolean => isLeavingOffer(offer, now.epochMs);
    const rooms = combineOffers(inRole.filter((offer) => !isLeaving(offer)));
    const matcher = new Matcher([...rooms.values()], random, others);
    const launches = new Map<string, LaunchGroup[]>();
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
      const groupKey = slotKeyOf(want.entry, want.version, want.group.name, 0);
      const jobNeeds = needs.get(want.entry) ?? new Map<string, Need>();
      needs.set(want.entry, jobNeeds);
      const need = jobNeeds.get(groupKey) ?? { ...want.need, avoids: failedOn(want) };
      jobNeeds.set(groupKey, need);
      const found = rooms.size === 0 ? undefined : matcher.place(need, there, want.slot.agentId);
      if (found === undefined || !("placed" in found)) {
        unplaced.push(want);
        if (rooms.size > 0) want.entry.offersSeen = { count: inRole.length, atMs: now.monotonicMs };
        continue;
      }
      const group = launch(state, want, found.placed.agentId, found.placed.agentName, now);
      const list = launches.get(found.placed.agentId);
      if (list) list.push(group);
      else launches.set(found.placed.agentId, [group]);
    }
    for (const offer of inRole) if (isLeaving(offer)) answers.push({ role, offerIds: [offer.offerId], groups: [] });
    for (const room of rooms.values())
      answers.push({ role, offerIds: room.offerIds, groups: launches.get(room.agentId) ?? [] });
  }
  return { answers, unplaced };
}

interface OfferedRoom extends Room {
  readonly offerIds: string[];
}

/** Offers of one agent and role can be used together. */
function combineOffers(offers: readonly Offer[]): Map<string, OfferedRoom> {
  const rooms = new Map<string, OfferedRoom>();
  for (const offer of offers) {
    const present = rooms.get(offer.agentId);
    if (present === undefined) {
      rooms.set(offer.agentId, { ...roomOf(offer), offerIds: [offer.offerId] });
      continue;
    }
    const available = addResources(present.available, resources(offer.resources));
    rooms.set(offer.agentId, { ...present, available, offerIds: [...present.offerIds, offer.offerId] });
  }
  return rooms;
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
function failedOn({ entry, group }: Want): ReadonlySet<string> {
  const agentIds = new Set<string>();
  for (const [key, restarts] of entry.restarts)
    if (key.startsWith(`${group.name}/`)) for (const agentId of restarts.failedOn) agentIds.add(agentId);
  return agentIds;
}

/** Instances of system jobs belong to one agent each. */
export function pinnedNeed({ need, slot }: Want): Need {
  return slot.agentId === undefined ? need : pinnedTo(need, slot.agentId);
}

/** Books a new instance and builds its launch. */
function launch(state: ServicesState, want: Want, agentId: string, agentName: string, now: Now): LaunchGroup {
  const { entry, group, slot } = want;
  const { version } = want.version.record;
  const instanceId = makeInstanceId(state.epoch, ++state.launchCount);
  const launchId = makeLaunchId(version, instanceId);
  const made = buildLaunch(want.version.job, group, { index: slot.index, version, instanceId, launchId });
  const checked = want.version.checked.get(group.name) ?? [];
  const instance: Instance = {
    id: instanceId,
    launchId,
    jobName: entry.name,
    group: group.name,
    index: slot.index,
    version,
    tasks: new Map(),
    taskCount: group.tasks.filter((task) => !isPassing(task)).length,
    agentId,
    agentName,
    isKilling: false,
    move: undefined,
    endedBy: undefined,
    isEnding: false,
    cameBackLate: false,
    launchedMs: now.monotonicMs,
    runningSinceMs: undefined,
    ranSinceMs: undefined,
    healthySinceMs: undefined,
    unreachableSinceMs: undefined,
    startedAt: 0,
  };
  const passing = group.tasks.map(isPassing);
  for (const [ordinal, { taskId, name }] of made.tasks.entries()) {
    instance.tasks.set(taskId, {
      taskId,
      name,
      hasChecks: checked[ordinal] ?? false,
      isPassing: passing[ordinal] ?? false,
      state: TaskState.TASK_STAGING,
      health: Health.HEALTH_UNSPECIFIED,
      message: "",
      exitCode: undefined,
      restartCount: 0,
      nextTryAt: 0,
      pid: 0,
      ips: [],
      ports: [],
      killAsked: undefined,
    });
    state.byTask.set(taskId, instance);
  }
  entry.instances.set(instance.id, instance);
  entry.waiting.delete(slotKeyOf(entry, want.version, group.name, slot.index));
  return made;
}

import {
  addResources,
  type ClusterAgent,
  createVolume,
  isUsable,
  type Need,
  type Operation,
  reserve,
  resources,
} from "@muster/framework-sdk";
import { type OwnVolume, ownVolumes, type TaskGroup } from "@muster/jobspecs";
import {
  type JobEntry,
  type KeptVolume,
  type Now,
  type ReleasedVolume,
  type ServicesState,
  slotKey,
  type VolumeRecord,
  type Want,
} from "./model.ts";

/**
 * A place whose volumes were never made waits so long for its agent before another is looked for; and so long a volume must
 * have been known before its agent's silence about it means that it is no more.
 */
export const volumePatienceMs = 10_000;
/** A volume that is given up is looked for so long before it counts as gone: what was asked for may be on its way. */
export const releasePatienceMs = 5_000;

/** What one place of a group has of the volumes that the group wants. O(volumes of the place). */
export function slotVolumes(entry: JobEntry, group: TaskGroup, index: number): readonly KeptVolume[] {
  const kept = entry.volumes.get(slotKey(group.name, index));
  if (kept === undefined) return [];
  const wanted = ownVolumes(group);
  return kept.filter(({ record }) => wanted.some(({ name }) => name === record.name));
}

/** Volumes of a group that a place has not even a plan for. */
export function lackingVolumes(entry: JobEntry, group: TaskGroup, index: number): readonly OwnVolume[] {
  const kept = slotVolumes(entry, group, index);
  return ownVolumes(group).filter(({ name }) => !kept.some(({ record }) => record.name === name));
}

/** Whether instances of a group are bound to a place, so that none can be there beside its predecessor. */
export function isBound(entry: JobEntry, group: TaskGroup): boolean {
  if (ownVolumes(group).length > 0) return true;
  const prefix = `${group.name}/`;
  for (const instance of entry.instances.values())
    if (instance.group === group.name && entry.volumes.has(`${prefix}${instance.index}`)) return true;
  return false;
}

/** What an instance needs with the volumes that are still to be made, which lie in what nobody has reserved. */
export function needWithVolumes(need: Need, group: TaskGroup, kept: readonly KeptVolume[]): Need {
  let diskMiB = 0;
  for (const { name, sizeMiB } of ownVolumes(group)) {
    const one = kept.find(({ record }) => record.name === name);
    if (one === undefined) diskMiB += sizeMiB;
    else if (!one.isMade) diskMiB += one.record.diskMiB;
  }
  if (diskMiB === 0) return need;
  return { ...need, resources: addResources(need.resources, resources({ diskMiB })), unreservedDiskMiB: diskMiB };
}

/** What to do about the volumes of a place that is to be filled. */
export interface VolumesLook {
  /** They are not to be had, and were never made: another agent is looked for. */
  readonly isGivenUp: boolean;
  /** They are no more: somebody has removed them with their reservations. */
  readonly vanished: readonly KeptVolume[];
  /** When to look again, as `monotonicMs`; undefined: no need. */
  readonly againAtMs: number | undefined;
}

/** Compares what is known of the volumes of a vacant place with what its agent tells. O(volumes of the place). */
export function lookAtVolumes(
  kept: readonly KeptVolume[],
  agents: ReadonlyMap<string, ClusterAgent>,
  now: Now,
): VolumesLook {
  const vanished: KeptVolume[] = [];
  let againAtMs: number | undefined;
  let isGivenUp = kept.length > 0;
  for (const one of kept) {
    const { volumeId, agentId } = one.record;
    const agent = agents.get(agentId);
    const isRipe = one.isKept && now.monotonicMs - one.plannedMs >= volumePatienceMs;
    const isMissing = agent !== undefined && isUsable(agent) && !agent.volumeIds.has(volumeId);
    if (!isRipe && (!one.isMade || isMissing)) againAtMs = Math.max(againAtMs ?? 0, one.plannedMs + volumePatienceMs);
    if (one.isMade && isRipe && isMissing) {
      // Its reservation is still there: an operator has removed the volume alone, and it is made anew in the same place.
      if (agent.reservationIds.has(volumeId)) {
        one.isMade = false;
        one.plannedMs = now.monotonicMs;
      } else vanished.push(one);
      isGivenUp = false;
      continue;
    }
    if (one.isMade || !isRipe) isGivenUp = false;
  }
  return { isGivenUp, vanished, againAtMs };
}

/** An agent has started an instance: it has its volumes. */
export function noteMade(entry: JobEntry, group: string, index: number): void {
  for (const one of entry.volumes.get(slotKey(group, index)) ?? []) one.isMade = true;
}

export function addVolumes(entry: JobEntry, volumes: readonly KeptVolume[]): void {
  for (const volume of volumes) {
    const key = slotKey(volume.record.group, volume.record.index);
    entry.volumes.set(key, [...(entry.volumes.get(key) ?? []), volume]);
  }
}

/** A job has them no more, whatever becomes of them. */
export function dropVolumes(entry: JobEntry, volumes: readonly KeptVolume[]): void {
  for (const { record } of volumes) {
    const key = slotKey(record.group, record.index);
    const left = (entry.volumes.get(key) ?? []).filter((one) => one.record.volumeId !== record.volumeId);
    if (left.length === 0) entry.volumes.delete(key);
    else entry.volumes.set(key, left);
  }
}

/** They are to be removed as soon as nobody uses them. `isMarked`: State knows. */
export function releaseVolumes(
  state: ServicesState,
  entry: JobEntry,
  volumes: readonly KeptVolume[],
  now: Now,
  isMarked: boolean,
): void {
  dropVolumes(entry, volumes);
  for (const { record } of volumes)
    state.released.set(record.volumeId, { record, releasedMs: now.monotonicMs, isMarked });
}

/** Agents of places that have no instance now: of their kind none is to come there beside them. O(places). */
export function homesWithout(entry: JobEntry, group: string): string[] {
  const filled = new Set<string>();
  for (const instance of entry.instances.values()) filled.add(slotKey(instance.group, instance.index));
  const agentIds: string[] = [];
  for (const [key, [first]] of entry.volumes)
    if (first && key.startsWith(`${group}/`) && !filled.has(key)) agentIds.push(first.record.agentId);
  return agentIds;
}

/** What offers of an agent have of volumes and of what they lie in. */
export interface OfferedVolumes {
  readonly volumeIds: ReadonlySet<string>;
  /** MiB of disk by reservation. */
  readonly reservedMiB: ReadonlyMap<string, number>;
}

/**
 * The steps before a launch that make the volumes of its place, none if they are there; undefined: they can't be had in these
 * offers, or are not settled. O(volumes of the place).
 */
export function volumeSteps({ entry, group, slot }: Want, offered: OfferedVolumes): Operation[] | undefined {
  const kept = slotVolumes(entry, group, slot.index);
  if (kept.length < ownVolumes(group).length) return undefined;
  const steps: Operation[] = [];
  for (const { record, isKept, isMade } of kept) {
    if (!isKept) return undefined;
    const { volumeId, diskMiB } = record;
    if (offered.volumeIds.has(volumeId)) continue;
    if (isMade) return undefined;
    if ((offered.reservedMiB.get(volumeId) ?? -1) < diskMiB)
      steps.push(reserve(record.role, { diskMiB }, { reservationId: volumeId, labels: labelsOf(record) }));
    steps.push(createVolume(volumeId, diskMiB, { reservationId: volumeId }));
  }
  return steps;
}

function labelsOf({ job, group, index, name }: VolumeRecord): Record<string, string> {
  return { job: job.slice(0, 255), group: group.slice(0, 255), index: String(index), volume: name };
}

/** How a volume that was given up stands on its agent: what is to be removed first; undefined: nothing that can be. */
export function leftOfReleased(
  { record }: ReleasedVolume,
  agents: ReadonlyMap<string, ClusterAgent>,
): "volume" | "reservation" | undefined {
  const agent = agents.get(record.agentId);
  if (agent === undefined || !isUsable(agent)) return undefined;
  if (agent.volumeIds.has(record.volumeId)) return "volume";
  return agent.reservationIds.has(record.volumeId) ? "reservation" : undefined;
}

/** Of the volumes that were given up, those of which nothing is left. O(released). */
export function goneVolumes(
  state: ServicesState,
  agents: ReadonlyMap<string, ClusterAgent>,
  isKnown: boolean,
  now: Now,
): ReleasedVolume[] {
  if (!isKnown) return [];
  return [...state.released.values()].filter((one) => {
    if (!one.isMarked || now.monotonicMs - one.releasedMs < releasePatienceMs) return false;
    const agent = agents.get(one.record.agentId);
    // An agent that the master knows no more is gone with all that it had.
    return agent === undefined || (isUsable(agent) && leftOfReleased(one, agents) === undefined);
  });
}

/** Why a place waits for its volumes, for people; undefined: it does not. */
export function volumesMessage(
  entry: JobEntry,
  group: TaskGroup,
  index: number,
  agents: ReadonlyMap<string, ClusterAgent>,
): string | undefined {
  const kept = slotVolumes(entry, group, index).filter(({ isMade }) => isMade);
  const [first] = kept;
  if (first === undefined) return undefined;
  const { agentId, agentName } = first.record;
  const agent = agents.get(agentId);
  const names = kept.map(({ record }) => `"${record.name}" (${record.volumeId})`).join(", ");
  const what = kept.length === 1 ? `its volume ${names}` : `its volumes ${names}`;
  const where = `on agent ${agent?.name ?? agentName}`;
  const instance = `${entry.name}.${group.name}.${index}`;
  if (agent === undefined) return `${instance} waits for ${what} ${where}, which is not there`;
  if (!isUsable(agent)) return `${instance} waits for ${what} ${where}, which is out of reach or takes nothing`;
  return `${instance} waits for room beside ${what} ${where}`;
}

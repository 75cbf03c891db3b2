import {
  addResources,
  assert,
  isNegativeResources,
  noResources,
  type Resources,
  subtractResources,
} from "@muster/foundation";
import { isWithin } from "../../allocator/role.ts";
import type { Core } from "../core.ts";
import type { Agent, Group, Role } from "../model.ts";
import { Reservation, type ReservedShare, SetAside, Volume } from "./model.ts";
import { hasSomething, shareOf, smallerOf, sumOf, takeFrom } from "./shares.ts";

/** Books a new reservation: from now on it is no part of what is free. The caller has made sure that there is enough. O(depth). */
export function addReservation(
  core: Core,
  agent: Agent,
  wish: Pick<Reservation, "id" | "resources" | "refined" | "labels" | "isStatic" | "principal" | "isSettled"> & {
    readonly roleName: string;
  },
): Reservation {
  const { refined, resources } = wish;
  const role = core.state.allocator.reserve(wish.roleName, resources, agent.counted, refined?.role);
  const reservation = new Reservation({ ...wish, agent, role });
  agent.setAside ??= new SetAside();
  agent.setAside.reservations.set(reservation.id, reservation);
  if (refined) {
    refined.refinements.add(reservation);
    refined.idle = subtractResources(refined.idle, resources);
  } else agent.setAside.idle = addResources(agent.setAside.idle, resources);
  noteChange(core, agent);
  return reservation;
}

/**
 * Takes a reservation out of the books, with what was refined out of it and its volumes. What offers have of it must
 * have been taken back; what tasks have of it they use from now on like anything else. O(tasks of the agent x depth).
 */
export function removeReservation(core: Core, reservation: Reservation): void {
  const { agent, refined, role, resources } = reservation;
  const { setAside } = agent;
  if (setAside === undefined || !setAside.reservations.has(reservation.id)) return;
  for (const refinement of [...reservation.refinements]) removeReservation(core, refinement);
  for (const volume of [...reservation.volumes]) removeVolume(core, volume);
  for (const group of groupsOf(agent)) undraw(core, group, reservation);
  setAside.reservations.delete(reservation.id);
  if (refined) {
    refined.refinements.delete(reservation);
    refined.idle = addResources(refined.idle, resources);
  } else setAside.idle = subtractResources(setAside.idle, resources);
  core.state.allocator.unreserve(role, resources, agent.counted, refined?.role);
  if (setAside.reservations.size === 0) agent.setAside = undefined;
  noteChange(core, agent);
}

/** Books a new volume: its disk is no idle part of its reservation any more. */
export function addVolume(
  core: Core,
  reservation: Reservation,
  id: string,
  diskMiB: number,
  isSettled: boolean,
): Volume {
  const volume = new Volume(id, reservation, diskMiB, isSettled);
  reservation.volumes.add(volume);
  reservation.agent.setAside?.volumes.set(id, volume);
  reservation.idle = subtractResources(reservation.idle, ofDisk(diskMiB));
  noteChange(core, reservation.agent);
  return volume;
}

export function removeVolume(core: Core, volume: Volume): void {
  const { reservation } = volume;
  if (!reservation.volumes.delete(volume)) return;
  reservation.agent.setAside?.volumes.delete(volume.id);
  reservation.idle = addResources(reservation.idle, ofDisk(volume.diskMiB));
  noteChange(core, reservation.agent);
}

export function resizeVolume(core: Core, volume: Volume, diskMiB: number): void {
  const { reservation } = volume;
  reservation.idle = addResources(reservation.idle, ofDisk(volume.diskMiB - diskMiB));
  volume.diskMiB = diskMiB;
  noteChange(core, reservation.agent);
}

export function ofDisk(diskMiB: number): Resources {
  return { ...noResources, diskMiB };
}

/** What is idle on an agent of reservations for a role and those above it, the nearest role first. O(reservations). */
export function idleFor(agent: Agent, role: Role): ReservedShare[] {
  const shares: ReservedShare[] = [];
  for (const reservation of agent.setAside?.reservations.values() ?? [])
    if (reservation.isSettled && hasSomething(reservation.idle) && isWithin(role, reservation.role))
      shares.push({ reservation, resources: reservation.idle });
  return shares.sort(nearestFirst);
}

/** Volumes that a role may be offered. O(volumes of the agent). */
export function volumesFor(agent: Agent, role: Role): Volume[] {
  const volumes: Volume[] = [];
  for (const volume of agent.setAside?.volumes.values() ?? [])
    if (volume.isSettled && volume.holder === undefined && isWithin(role, volume.reservation.role))
      volumes.push(volume);
  return volumes;
}

/** Those of the role itself are used up before those of roles above, which others can use too. */
export function nearestFirst(a: ReservedShare, b: ReservedShare): number {
  const [one, other] = [a.reservation, b.reservation];
  return other.role.name.length - one.role.name.length || (one.id < other.id ? -1 : 1);
}

/** Books that shares are used or offered, or no more: `sign` 1 or -1. The allocator is told by the caller. */
export function moveShares(agent: Agent, shares: readonly ReservedShare[], sign: 1 | -1): void {
  const { setAside } = agent;
  for (const { reservation, resources } of shares) {
    reservation.idle =
      sign === 1 ? subtractResources(reservation.idle, resources) : addResources(reservation.idle, resources);
    assert(!isNegativeResources(reservation.idle), "more of a reservation is given away than there is", {
      reservationId: reservation.id,
    });
    if (setAside)
      setAside.idle = sign === 1 ? subtractResources(setAside.idle, resources) : addResources(setAside.idle, resources);
  }
}

/** Changes what a group uses, and with it what it has of reservations. O(shares x depth). */
export function changeNeed(core: Core, group: Group, need: Resources): void {
  const { agent, member, draw } = group;
  if (draw === undefined) return;
  const { allocator } = core.state;
  // What an agent tells of its tasks may not fit what it tells of its reservations: the reservations stand.
  const within = draw.granted.map(({ reservation, resources }) => {
    const most = addResources(reservation.idle, shareOf(draw.shares, reservation));
    return { reservation, resources: smallerOf(resources, most) };
  });
  const shares = takeFrom(within, need);
  const plain = subtractResources(
    subtractResources(need, sumOf(shares)),
    subtractResources(draw.need, sumOf(draw.shares)),
  );
  for (const { reservation } of draw.granted) {
    const [before, after] = [shareOf(draw.shares, reservation), shareOf(shares, reservation)];
    const more = subtractResources(after, before);
    if (hasSomething(more)) {
      moveShares(agent, [{ reservation, resources: more }], 1);
      allocator.holdReserved(member, more, reservation.role);
    }
    const less = subtractResources(before, after);
    if (hasSomething(less)) {
      moveShares(agent, [{ reservation, resources: less }], -1);
      allocator.releaseReserved(member, less, reservation.role);
    }
  }
  if (hasSomething(plain)) allocator.hold(member, plain, agent.counted);
  else allocator.release(member, subtractResources(noResources, plain), agent.counted);
  draw.shares = shares;
  draw.need = need;
}

/** The reservation is no more: what a group has of it is like anything else that it uses. */
function undraw(core: Core, group: Group, reservation: Reservation): void {
  const { agent, member, draw } = group;
  if (draw === undefined) return;
  const share = shareOf(draw.shares, reservation);
  draw.granted = draw.granted.filter((one) => one.reservation !== reservation);
  draw.shares = draw.shares.filter((one) => one.reservation !== reservation);
  if (!hasSomething(share)) return;
  moveShares(agent, [{ reservation, resources: share }], -1);
  core.state.allocator.releaseReserved(member, share, reservation.role);
  core.state.allocator.hold(member, share, agent.counted);
}

/** Launches that live on an agent. O(tasks of the agent). */
export function groupsOf(agent: Agent): ReadonlySet<Group> {
  const groups = new Set<Group>();
  for (const { group } of agent.tasks) groups.add(group);
  return groups;
}

function noteChange(core: Core, agent: Agent): void {
  agent.changeCount++;
  core.state.dirty.add(agent);
  core.state.changedAgents.add(agent);
}

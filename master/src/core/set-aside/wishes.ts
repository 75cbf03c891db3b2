import {
  addResources,
  resources as copyOf,
  describeShortage,
  formatResources,
  invalid,
  isEmptyResources,
  MusterError,
  missingResource,
  type Resources,
} from "@muster/foundation";
import { isWithin } from "../../checkers/role-names.ts";
import { limits } from "../limits.ts";
import type { Agent } from "../model.ts";
import { firmFault, idFault, labelsFault, resourcesFault, roleFault } from "../validate.ts";
import { nearestFirst, ofDisk } from "./books.ts";
import type { Reservation, ReservedShare, Volume } from "./model.ts";
import { shareOf } from "./shares.ts";

/** A change of what is set aside on an agent, as a framework or an operator wants it. */
export type SetAsideWish =
  | {
      readonly type: "reserve";
      /** Empty: the master makes one. */
      readonly reservationId: string;
      readonly role: string;
      readonly resources: Resources;
      readonly labels: { [key: string]: string };
      /** Empty: out of what is not reserved. */
      readonly refinedId: string;
    }
  | { readonly type: "unreserve"; readonly reservationId: string }
  | {
      readonly type: "create_volume";
      readonly volumeId: string;
      /** Empty: the first that has enough. */
      readonly reservationId: string;
      /** Only in a reservation for this very role; empty: in any. */
      readonly role: string;
      readonly diskMiB: number;
    }
  | { readonly type: "destroy_volume"; readonly volumeId: string }
  | { readonly type: "resize_volume"; readonly volumeId: string; readonly diskMiB: number };

/** What a wish may be granted out of: of what an operator can have freed, or of offers. */
export interface Source {
  readonly agent: Agent;
  /** Not reserved. */
  readonly plain: Resources;
  readonly shares: readonly ReservedShare[];
  readonly volumes: readonly Volume[];
  /** Only for this role and those below it; undefined: for any. */
  readonly role: string | undefined;
  /** For people, for instance "in the offers". */
  readonly where: string;
}

/** A wish that can be granted, with what it is about. */
export type SetAsidePlan =
  | {
      readonly type: "reserve";
      readonly wish: Extract<SetAsideWish, { type: "reserve" }>;
      readonly resources: Resources;
      readonly refined: Reservation | undefined;
    }
  | { readonly type: "unreserve"; readonly reservation: Reservation }
  | {
      readonly type: "create_volume";
      readonly volumeId: string;
      readonly reservation: Reservation;
      readonly diskMiB: number;
    }
  | { readonly type: "destroy_volume"; readonly volume: Volume }
  | { readonly type: "resize_volume"; readonly volume: Volume; readonly diskMiB: number };

/** What a wish comes to, or why it can't be granted. Changes nothing. O(reservations of the agent). */
export function planWish(source: Source, wish: SetAsideWish, field: string): SetAsidePlan | MusterError {
  switch (wish.type) {
    case "reserve":
      return planReserve(source, wish, field);
    case "unreserve":
      return planUnreserve(source, wish.reservationId, field);
    case "create_volume":
      return planCreate(source, wish, field);
    case "destroy_volume": {
      const volume = findVolume(source, wish.volumeId, `${field}.volume_id`);
      return volume instanceof MusterError ? volume : { type: "destroy_volume", volume };
    }
    case "resize_volume":
      return planResize(source, wish, field);
  }
}

function planReserve(
  { agent, plain, shares, role, where }: Source,
  wish: Extract<SetAsideWish, { type: "reserve" }>,
  field: string,
): SetAsidePlan | MusterError {
  const fault =
    (wish.reservationId === "" ? undefined : idFault(`${field}.reservation_id`, wish.reservationId)) ??
    roleFault(`${field}.role`, wish.role) ??
    resourcesFault(`${field}.resources`, wish.resources) ??
    firmFault(`${field}.resources`, wish.resources) ??
    labelsFault(`${field}.labels`, wish.labels);
  if (fault) return fault;
  const resources = copyOf(wish.resources);
  if (isEmptyResources(resources)) return invalid(`${field}.resources`, "must be something");
  if (role !== undefined && !isWithin(wish.role, role))
    return invalid(`${field}.role`, `"${wish.role}" is neither ${role}, for which this is offered, nor below it`);
  if ((agent.setAside?.reservations.size ?? 0) >= limits.reservationsPerAgent)
    return new MusterError("too-many", `at most ${limits.reservationsPerAgent} reservations an agent`);
  if (agent.setAside?.reservations.has(wish.reservationId))
    return new MusterError("exists", `there is a reservation ${wish.reservationId} already`, {
      field: `${field}.reservation_id`,
    });
  if (wish.refinedId === "") {
    const shortage = missingResource(resources, plain);
    if (shortage) return new MusterError("stale", `${describeShortage(shortage)} not reserved ${where}`, { field });
    return { type: "reserve", wish, resources, refined: undefined };
  }
  const refined = shares.find(({ reservation }) => reservation.id === wish.refinedId)?.reservation;
  if (refined === undefined)
    return new MusterError("not-found", `nothing of reservation ${wish.refinedId} is ${where}`, {
      field: `${field}.refined_id`,
    });
  if (wish.role === refined.role.name || !isWithin(wish.role, refined.role.name))
    return invalid(
      `${field}.role`,
      `"${wish.role}" must stand below ${refined.role.name}, whose reservation is refined`,
    );
  const shortage = missingResource(resources, shareOf(shares, refined));
  if (shortage) {
    const message = `${describeShortage(shortage)} of reservation ${refined.id} ${where}`;
    return new MusterError("stale", message, { field: `${field}.resources` });
  }
  return { type: "reserve", wish, resources, refined };
}

function planUnreserve(source: Source, reservationId: string, field: string): SetAsidePlan | MusterError {
  const path = { field: `${field}.reservation_id` };
  const reservation = source.agent.setAside?.reservations.get(reservationId);
  if (reservation === undefined) return new MusterError("not-found", `no reservation ${reservationId}`, path);
  const fault = ownFault(source, reservation, path.field);
  if (fault) return fault;
  if (reservation.isStatic) {
    const message = `${reservationId} is of the agent's own settings: start the agent without it`;
    return new MusterError("wrong-state", message, path);
  }
  if (!reservation.isSettled)
    return new MusterError("unavailable", `${reservationId} is being changed`, { ...path, retryAfterMs: 200 });
  if (reservation.volumes.size > 0) {
    const names = [...reservation.volumes].map(({ id }) => id).join(", ");
    return new MusterError("wrong-state", `volumes are in it: destroy ${names} first`, path);
  }
  if (reservation.refinements.size > 0) {
    const names = [...reservation.refinements].map(({ id }) => id).join(", ");
    return new MusterError("wrong-state", `others are refined out of it: give back ${names} first`, path);
  }
  const here = shareOf(source.shares, reservation);
  if (missingResource(reservation.resources, here) !== undefined) {
    const message = `of ${formatResources(reservation.resources)} only ${formatResources(here)} is ${source.where}: the rest is used by tasks or offered`;
    return new MusterError("wrong-state", message, path);
  }
  return { type: "unreserve", reservation };
}

function planCreate(
  { agent, shares, where }: Source,
  wish: Extract<SetAsideWish, { type: "create_volume" }>,
  field: string,
): SetAsidePlan | MusterError {
  const { volumeId, reservationId, diskMiB } = wish;
  const fault = idFault(`${field}.volume_id`, volumeId) ?? sizeFault(`${field}.disk_mi_b`, diskMiB);
  if (fault) return fault;
  if (agent.setAside?.volumes.has(volumeId))
    return new MusterError("exists", `there is a volume ${volumeId} on ${agent.name} already`, {
      field: `${field}.volume_id`,
    });
  if ((agent.setAside?.volumes.size ?? 0) >= limits.volumesPerAgent)
    return new MusterError("too-many", `at most ${limits.volumesPerAgent} volumes an agent`);
  const named = [...shares]
    .sort(nearestFirst)
    .filter(({ reservation: { id } }) => reservationId === "" || id === reservationId)
    .filter(({ reservation }) => wish.role === "" || wish.role === reservation.role.name);
  const found = named.find(({ resources }) => resources.diskMiB >= diskMiB);
  if (found) return { type: "create_volume", volumeId, reservation: found.reservation, diskMiB };
  const most = Math.max(0, ...named.map(({ resources }) => resources.diskMiB));
  const ofRole = wish.role === "" ? "" : ` for ${wish.role}`;
  const of = reservationId === "" ? `of one reservation${ofRole}` : `of reservation ${reservationId}${ofRole}`;
  const message = `needs ${diskMiB} MiB of disk ${of} ${where}, there is ${most}: a volume lies in what is reserved`;
  return new MusterError("stale", message, { field: `${field}.disk_mi_b` });
}

function planResize(
  source: Source,
  { volumeId, diskMiB }: Extract<SetAsideWish, { type: "resize_volume" }>,
  field: string,
): SetAsidePlan | MusterError {
  const fault = sizeFault(`${field}.disk_mi_b`, diskMiB);
  if (fault) return fault;
  const volume = findVolume(source, volumeId, `${field}.volume_id`);
  if (volume instanceof MusterError) return volume;
  const more = diskMiB - volume.diskMiB;
  const have = shareOf(source.shares, volume.reservation).diskMiB;
  if (more > have) {
    const message = `needs ${more} MiB more of reservation ${volume.reservation.id} ${source.where}, there are ${have}`;
    return new MusterError("stale", message, { field: `${field}.disk_mi_b` });
  }
  return { type: "resize_volume", volume, diskMiB };
}

/** A volume that nobody uses, and that is this source's to change. */
function findVolume(source: Source, volumeId: string, field: string): Volume | MusterError {
  const volume = source.agent.setAside?.volumes.get(volumeId);
  if (volume === undefined) return new MusterError("not-found", `no volume ${volumeId}`, { field });
  const fault = ownFault(source, volume.reservation, field);
  if (fault) return fault;
  if (!volume.isSettled)
    return new MusterError("unavailable", `${volumeId} is being changed`, { field, retryAfterMs: 200 });
  if (volume.holder !== undefined && "launchId" in volume.holder)
    return new MusterError("wrong-state", `volume ${volumeId} is used by launch ${volume.holder.launchId}`, { field });
  if (source.volumes.includes(volume)) return volume;
  return new MusterError("stale", `volume ${volumeId} is not ${source.where}`, { field });
}

/** A framework may use what is set aside for a role above its own; to change it is for those of that role. */
function ownFault({ role }: Source, reservation: Reservation, field: string): MusterError | undefined {
  if (role === undefined || isWithin(reservation.role.name, role)) return undefined;
  const message = `${reservation.id} is reserved for ${reservation.role.name}, which stands above ${role}`;
  return new MusterError("forbidden", message, { field });
}

function sizeFault(field: string, diskMiB: number): MusterError | undefined {
  return Number.isSafeInteger(diskMiB) && diskMiB > 0 ? undefined : invalid(field, "must be at least 1");
}

/** What a plan leaves of its source. */
export function leftAfter(source: Source, plan: SetAsidePlan, made: Reservation | Volume | undefined): Source {
  const change = (reservation: Reservation, by: Resources): Source["shares"] =>
    source.shares.map((share) =>
      share.reservation === reservation ? { reservation, resources: addResources(share.resources, by) } : share,
    );
  const less = (amounts: Resources): Resources => negative(amounts);
  switch (plan.type) {
    case "reserve": {
      const share = { reservation: made as Reservation, resources: plan.resources };
      if (plan.refined === undefined)
        return {
          ...source,
          plain: addResources(source.plain, less(plan.resources)),
          shares: [...source.shares, share],
        };
      return { ...source, shares: [...change(plan.refined, less(plan.resources)), share] };
    }
    case "unreserve":
      return { ...source, shares: source.shares.filter(({ reservation }) => reservation !== plan.reservation) };
    case "create_volume": {
      const shares = change(plan.reservation, less(ofDisk(plan.diskMiB)));
      return { ...source, shares, volumes: [...source.volumes, made as Volume] };
    }
    case "destroy_volume":
      return { ...source, volumes: source.volumes.filter((volume) => volume !== plan.volume) };
    case "resize_volume": {
      const grown = Math.max(0, plan.diskMiB - plan.volume.diskMiB);
      return { ...source, shares: change(plan.volume.reservation, less(ofDisk(grown))) };
    }
  }
}

function negative(amounts: Resources): Resources {
  const custom: Record<string, number> = {};
  for (const name in amounts.custom) custom[name] = -(amounts.custom[name] ?? 0);
  const { cpuMillis, memoryMiB, diskMiB, portCount } = amounts;
  return { cpuMillis: -cpuMillis, memoryMiB: -memoryMiB, diskMiB: -diskMiB, portCount: -portCount, custom };
}

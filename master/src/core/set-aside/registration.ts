import {
  describeShortage,
  invalid,
  isEmptyResources,
  type MusterError,
  missingResource,
  resources,
  subtractResources as without,
} from "@muster/foundation";
import type { Registration, Reservation as ReservationMessage, Volume as VolumeMessage } from "@muster/proto";
import type { Core } from "../core.ts";
import { limits } from "../limits.ts";
import type { Agent } from "../model.ts";
import { firmFault, idFault, labelsFault, resourcesFault, roleFault } from "../validate.ts";
import { addReservation, addVolume, ofDisk, removeReservation, removeVolume, resizeVolume } from "./books.ts";
import type { Reservation } from "./model.ts";
import { finish, type Operation, takeOperationsOf } from "./operations.ts";

/**
 * An agent tells what it has set aside: its word is what holds. Operations that it had not answered are done if it tells
 * of what they made, and else never will be. O(reservations and volumes, told and known, x depth).
 */
export function takeSetAside(core: Core, agent: Agent, registration: Registration): void {
  const pending = takeOperationsOf(core, agent);
  if (registration.reservations.length > 0 || agent.setAside !== undefined) {
    dropUntold(core, agent, registration);
    for (const told of registration.reservations) takeReservation(core, agent, told);
    for (const told of registration.volumes) takeVolume(core, agent, told);
  }
  for (const operation of pending) finish(core, operation, isDone(agent, operation) ? null : neverDone);
}

const neverDone = {
  kind: "unavailable",
  message: "the connection to the agent broke before it was done: ask for it again",
  field: "",
  retryAfterMs: 0,
};

function isDone({ setAside }: Agent, { plan, subject }: Operation): boolean {
  switch (plan.type) {
    case "reserve":
      return setAside?.reservations.has(subject.id) ?? false;
    case "unreserve":
      return !(setAside?.reservations.has(subject.id) ?? false);
    case "create_volume":
      return setAside?.volumes.has(subject.id) ?? false;
    case "destroy_volume":
      return !(setAside?.volumes.has(subject.id) ?? false);
    case "resize_volume":
      return setAside?.volumes.get(subject.id)?.diskMiB === plan.diskMiB;
  }
}

function dropUntold(core: Core, agent: Agent, { reservations, volumes }: Registration): void {
  const told = new Map(reservations.map((one) => [one.reservationId, one]));
  const toldVolumes = new Map(volumes.map((one) => [one.volumeId, one]));
  for (const known of [...(agent.setAside?.reservations.values() ?? [])]) {
    const now = told.get(known.id);
    if (now === undefined || !isSame(known, now)) removeReservation(core, known);
  }
  for (const known of [...(agent.setAside?.volumes.values() ?? [])])
    if (toldVolumes.get(known.id)?.reservationId !== known.reservation.id) removeVolume(core, known);
}

function isSame(known: Reservation, told: ReservationMessage): boolean {
  const amounts = resources(told.resources);
  return (
    known.role.name === told.role &&
    (known.refined?.id ?? "") === told.refinedId &&
    missingResource(known.resources, amounts) === undefined &&
    missingResource(amounts, known.resources) === undefined
  );
}

function takeReservation(core: Core, agent: Agent, told: ReservationMessage): void {
  const known = agent.setAside?.reservations.get(told.reservationId);
  if (known !== undefined) {
    known.isSettled = true;
    return;
  }
  const { reservationId: id, role: roleName, labels, isStatic, principal } = told;
  const refined = agent.setAside?.reservations.get(told.refinedId);
  const amounts = resources(told.resources);
  addReservation(core, agent, {
    id,
    roleName,
    resources: amounts,
    refined,
    labels: { ...labels },
    isStatic,
    principal,
    isSettled: true,
  });
}

function takeVolume(core: Core, agent: Agent, { volumeId, reservationId, diskMiB }: VolumeMessage): void {
  const known = agent.setAside?.volumes.get(volumeId);
  if (known !== undefined) {
    known.isSettled = true;
    if (known.diskMiB !== diskMiB) resizeVolume(core, known, diskMiB);
    return;
  }
  const reservation = agent.setAside?.reservations.get(reservationId);
  if (reservation !== undefined) addVolume(core, reservation, volumeId, diskMiB, true);
}

/** What is wrong with what an agent tells to have set aside: parts must fit into what they are parts of. O(what it tells). */
export function setAsideFault(registration: Registration): MusterError | undefined {
  const { reservations, volumes } = registration;
  const field = "registration.reservations";
  if (reservations.length > limits.reservationsPerAgent)
    return invalid(field, `must be at most ${limits.reservationsPerAgent}`);
  if (volumes.length > limits.volumesPerAgent)
    return invalid("registration.volumes", `must be at most ${limits.volumesPerAgent}`);
  const left = new Map<string, { role: string; amounts: ReturnType<typeof resources> }>();
  for (const [index, told] of reservations.entries()) {
    const path = `${field}[${index}]`;
    const fault =
      idFault(`${path}.reservation_id`, told.reservationId) ??
      roleFault(`${path}.role`, told.role) ??
      resourcesFault(`${path}.resources`, told.resources) ??
      firmFault(`${path}.resources`, told.resources) ??
      labelsFault(`${path}.labels`, told.labels);
    if (fault) return fault;
    const amounts = resources(told.resources);
    if (isEmptyResources(amounts)) return invalid(`${path}.resources`, "must be something");
    if (left.has(told.reservationId)) return invalid(`${path}.reservation_id`, "is told twice");
    if (told.refinedId !== "") {
      const refined = left.get(told.refinedId);
      if (refined === undefined) return invalid(`${path}.refined_id`, "must be told before it");
      if (!told.role.startsWith(`${refined.role}/`)) return invalid(`${path}.role`, `must stand below ${refined.role}`);
      const shortage = missingResource(amounts, refined.amounts);
      if (shortage) return invalid(`${path}.resources`, `${describeShortage(shortage)} in ${told.refinedId}`);
      left.set(told.refinedId, { ...refined, amounts: without(refined.amounts, amounts) });
    }
    left.set(told.reservationId, { role: told.role, amounts });
  }
  const seen = new Set<string>();
  for (const [index, told] of volumes.entries()) {
    const path = `registration.volumes[${index}]`;
    const fault = idFault(`${path}.volume_id`, told.volumeId);
    if (fault) return fault;
    if (seen.has(told.volumeId)) return invalid(`${path}.volume_id`, "is told twice");
    seen.add(told.volumeId);
    const of = left.get(told.reservationId);
    if (of === undefined) return invalid(`${path}.reservation_id`, "must be one that is told");
    if (!Number.isSafeInteger(told.diskMiB) || told.diskMiB < 1 || told.diskMiB > of.amounts.diskMiB)
      return invalid(`${path}.disk_mi_b`, `must be 1 to ${of.amounts.diskMiB}, what its reservation has left`);
    left.set(told.reservationId, { ...of, amounts: without(of.amounts, ofDisk(told.diskMiB)) });
  }
  return undefined;
}

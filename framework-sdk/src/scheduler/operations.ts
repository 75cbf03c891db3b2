import { noResources, type Resources } from "@muster/foundation";
import type { Operation } from "@muster/proto";

/** What a framework gives a step of an accept, beside what it is about. */
export interface OperationOptions {
  /** Names the step in its result, and in `operationEnded`; 1 to 255 characters. Default: its end is not told. */
  readonly operationId?: string;
}

export interface ReserveOptions extends OperationOptions {
  /** The id of the reservation. Default: the master makes one, which the result tells. */
  readonly reservationId?: string;
  /** Take it out of this reservation, whose role must stand above. Default: out of what is not reserved. */
  readonly refinedId?: string;
  readonly labels?: Readonly<Record<string, string>>;
}

export interface CreateVolumeOptions extends OperationOptions {
  /** The reservation that its disk is taken of. Default: the first of the offers that has enough. */
  readonly reservationId?: string;
}

/** Sets resources of the offers aside for a role: that of the offers, or one below it. */
export function reserve(role: string, amounts: Partial<Resources>, options: ReserveOptions = {}): Operation {
  const { operationId = "", reservationId = "", refinedId = "", labels = {} } = options;
  const resources = { ...noResources, ...amounts };
  return {
    operationId,
    reserve: { resources, role, labels: { ...labels }, reservationId, refinedId },
    kind: "reserve",
  };
}

/** Gives a reservation back: all of it must be in the offers, and no volume may be in it. */
export function unreserve(reservationId: string, { operationId = "" }: OperationOptions = {}): Operation {
  return { operationId, unreserve: { reservationId }, kind: "unreserve" };
}

/** Makes a volume in what is reserved, under an id that is unique on the agent. Launches after it may use it. */
export function createVolume(volumeId: string, diskMiB: number, options: CreateVolumeOptions = {}): Operation {
  const { operationId = "", reservationId = "" } = options;
  return { operationId, createVolume: { volumeId, diskMiB, reservationId }, kind: "createVolume" };
}

/** Removes a volume of the offers, and its data. */
export function destroyVolume(volumeId: string, { operationId = "" }: OperationOptions = {}): Operation {
  return { operationId, destroyVolume: { volumeId }, kind: "destroyVolume" };
}

/** Gives a volume of the offers another size. */
export function resizeVolume(
  volumeId: string,
  diskMiB: number,
  { operationId = "" }: OperationOptions = {},
): Operation {
  return { operationId, resizeVolume: { volumeId, diskMiB }, kind: "resizeVolume" };
}

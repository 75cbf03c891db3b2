import type { Reservation, Volume } from "@muster/proto";
import type { LaunchRequest } from "../model.ts";

/** What of the agent's resources is set aside for roles. Replaced as a whole whenever something of it changes. */
export interface SetAsideState {
  /** By id; those that others are refined out of stand before these. */
  readonly reservations: ReadonlyMap<string, Reservation>;
  readonly volumes: ReadonlyMap<string, Volume>;
}

/** A change that the master wants: one of these. */
export interface SetAsideOperation {
  readonly operationId: string;
  readonly reserve?: Reservation;
  /** The id of a reservation. */
  readonly unreserve?: string;
  readonly createVolume?: Volume;
  /** The id of a volume. */
  readonly destroyVolume?: string;
  readonly resizeVolume?: Volume;
}

/** A change that has not been answered. */
export interface PendingOperation {
  readonly operation: SetAsideOperation;
  /** working: a folder is made or removed. writing: the record is being made durable. */
  phase: "working" | "writing";
}

export interface SetAside {
  /** As the disk has it: what a master is told. */
  kept: SetAsideState;
  /** With what is being written. */
  wanted: SetAsideState;
  /** By id, in the order in which they came. */
  readonly pending: Map<string, PendingOperation>;
  /** Launches that use a volume which is being made. */
  waiting: LaunchRequest[];
}

/** What is written of it. */
export interface SetAsideRecord {
  readonly reservations: readonly Reservation[];
  readonly volumes: readonly Volume[];
}

export const nothingSetAside: SetAsideState = { reservations: new Map(), volumes: new Map() };

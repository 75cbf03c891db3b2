import { noResources, type Resources } from "@muster/foundation";
import type { Agent, Group, Offer, Role } from "../model.ts";

/** Resources of an agent that only a role and those below it get. */
export class Reservation {
  readonly id: string;
  readonly agent: Agent;
  readonly role: Role;
  /** With what is refined out of it, and the disk of its volumes. */
  readonly resources: Resources;
  /** What it was taken out of; undefined: what nobody had reserved. */
  readonly refined: Reservation | undefined;
  readonly labels: { [key: string]: string };
  /** Of the agent's own settings. */
  readonly isStatic: boolean;
  readonly principal: string;
  readonly refinements: Set<Reservation> = new Set();
  readonly volumes: Set<Volume> = new Set();
  /** Neither used by tasks nor offered, refined nor a volume's. */
  idle: Resources;
  /** The agent has it on its disk, and no change of it is under way. Until then nothing of it is offered. */
  isSettled: boolean;

  constructor(
    of: Pick<
      Reservation,
      "id" | "agent" | "role" | "resources" | "refined" | "labels" | "isStatic" | "principal" | "isSettled"
    >,
  ) {
    this.id = of.id;
    this.agent = of.agent;
    this.role = of.role;
    this.resources = of.resources;
    this.refined = of.refined;
    this.labels = of.labels;
    this.isStatic = of.isStatic;
    this.principal = of.principal;
    this.isSettled = of.isSettled;
    this.idle = of.resources;
  }
}

/** A directory of an agent that outlives its tasks. Its disk is part of a reservation. */
export class Volume {
  readonly id: string;
  readonly reservation: Reservation;
  diskMiB: number;
  /** Who has it now: one at a time. */
  holder: Group | Offer | undefined = undefined;
  /** The agent has it on its disk, and no change of it is under way. Until then it is not offered. */
  isSettled: boolean;

  constructor(id: string, reservation: Reservation, diskMiB: number, isSettled: boolean) {
    this.id = id;
    this.reservation = reservation;
    this.diskMiB = diskMiB;
    this.isSettled = isSettled;
  }
}

/** All that is set aside on one agent. */
export class SetAside {
  readonly reservations: Map<string, Reservation> = new Map();
  readonly volumes: Map<string, Volume> = new Map();
  /** Set aside and neither used by tasks nor offered; the disk of volumes is always among it. */
  idle: Resources = noResources;
}

/** Of a reservation, what an offer or a group has. */
export interface ReservedShare {
  readonly reservation: Reservation;
  readonly resources: Resources;
}

/** What a group was given of reservations. */
export interface Draw {
  /** At its launch, in the order in which it is used up. */
  granted: readonly ReservedShare[];
  /** Of that, what its living tasks still have. */
  shares: readonly ReservedShare[];
  /** All that its living tasks use. */
  need: Resources;
  /** Volumes that are its own until its last task has ended. */
  readonly volumes: readonly Volume[];
}

import { type Resources, subtractResources } from "@muster/foundation";
import { demandOn, type Need, type Room } from "./fit.ts";
import { type PortsInPart, withPorts } from "./ports.ts";

/** A room that instances are placed in. */
export class OpenRoom implements Room {
  readonly agentId: string;
  readonly agentName: string;
  readonly attributes: ReadonlyMap<string, string>;
  /** Its place among rooms that are equally good. */
  readonly order: number;
  available: Resources;
  unreservedDiskMiB: number;
  readonly total: Resources;
  portsTaken: ReadonlySet<number>;
  portsInPart: PortsInPart;
  readonly dynamicPortFirst: number;
  readonly dynamicPortLast: number;
  readonly drivers?: readonly string[];
  readonly networkModes?: readonly string[];

  constructor(room: Room, order: number) {
    this.order = order;
    this.agentId = room.agentId;
    this.agentName = room.agentName;
    this.attributes = room.attributes;
    this.available = room.available;
    this.total = room.total ?? room.available;
    this.unreservedDiskMiB = room.unreservedDiskMiB ?? Number.POSITIVE_INFINITY;
    this.portsTaken = room.portsTaken;
    this.portsInPart = room.portsInPart ?? new Map();
    this.dynamicPortFirst = room.dynamicPortFirst;
    this.dynamicPortLast = room.dynamicPortLast;
    if (room.drivers) this.drivers = room.drivers;
    if (room.networkModes) this.networkModes = room.networkModes;
  }

  take(need: Need): void {
    this.available = subtractResources(this.available, demandOn(need, this));
    this.unreservedDiskMiB -= need.unreservedDiskMiB ?? 0;
    if (need.staticPorts.length > 0) Object.assign(this, withPorts(need.staticPorts, this));
  }
}

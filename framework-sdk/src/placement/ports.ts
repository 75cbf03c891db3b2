import type { PortPart } from "@muster/proto";
import type { AgentTraits } from "./references.ts";

/** A host port by number: whole, or on one network of the host, or for one protocol. */
export type StaticPort =
  | number
  | {
      readonly number: number;
      /** Name of the agent's network that it is to be open on. Default: every address. */
      readonly hostNetwork?: string;
      /** "tcp" or "udp". Default: both. */
      readonly protocol?: string;
    };

/** What is taken of a port, by its number. */
export type PortsInPart = ReadonlyMap<number, readonly PortPart[]>;

/** Where ports are, as far as it matters for them. */
export interface PortRoom extends Pick<AgentTraits, "attributes"> {
  readonly portsTaken: ReadonlySet<number>;
  readonly portsInPart?: PortsInPart;
}

export function portsInPart(parts: readonly PortPart[]): PortsInPart {
  const found = new Map<number, PortPart[]>();
  for (const part of parts) found.set(part.number, [...(found.get(part.number) ?? []), part]);
  return found;
}

export function numberOf(port: StaticPort): number {
  return typeof port === "number" ? port : port.number;
}

/** Whether somebody has that port there, or a part of what is wanted of it. O(parts of the port that are taken). */
export function isPortTaken(port: StaticPort, room: PortRoom): boolean {
  const number = numberOf(port);
  if (!room.portsTaken.has(number)) return false;
  const wanted = partOf(port, room);
  const parts = room.portsInPart?.get(number);
  return parts?.some((part) => isCommon(part.protocol, wanted.protocol) && isCommon(part.ip, wanted.ip)) ?? true;
}

/** The ports that are taken there when these are, too. O(ports taken in part). */
export function withPorts(ports: readonly StaticPort[], room: PortRoom): Required<Omit<PortRoom, "attributes">> {
  const portsTaken = new Set(room.portsTaken);
  const inPart = new Map(room.portsInPart);
  for (const port of ports) {
    const number = numberOf(port);
    const part = partOf(port, room);
    const isWhole = part.protocol === "" && part.ip === "";
    const before = portsTaken.has(number) ? inPart.get(number) : [];
    portsTaken.add(number);
    if (isWhole || before === undefined) inPart.delete(number);
    else inPart.set(number, [...before, part]);
  }
  return { portsTaken, portsInPart: inPart };
}

function partOf(port: StaticPort, { attributes }: Pick<PortRoom, "attributes">): PortPart {
  const { number, hostNetwork = "", protocol = "" } = typeof port === "number" ? { number: port } : port;
  const isEvery = hostNetwork === "" || hostNetwork === "default";
  return { number, protocol, ip: isEvery ? "" : (attributes.get(`host_network.${hostNetwork}`) ?? hostNetwork) };
}

function isCommon(one: string, other: string): boolean {
  return one === "" || other === "" || one === other;
}

import type { AssignedPort, PortPart, PortRequest } from "@muster/proto";
import type { Agent, Group } from "./model.ts";

const hostNetworkPrefix = "host_network.";
/** What a group holds of ports that it holds whole. */
export const noParts: readonly PortPart[] = Object.freeze([]);

/** What of a port a request is for. O(1). */
export function partAsked(agent: Agent, { number, protocol, hostNetwork }: PortRequest): PortPart {
  // An agent that lacks the network refuses the launch: until then its name stands for an address that nobody has.
  const isEvery = hostNetwork === "" || hostNetwork === "default";
  const ip = isEvery ? "" : (agent.attributeValues.get(`${hostNetworkPrefix}${hostNetwork}`) ?? hostNetwork);
  return { number, protocol, ip };
}

/** What of a port an agent has given. */
export function partGiven({ number, protocol, hostNetwork, ip }: AssignedPort): PortPart {
  return { number, protocol, ip: hostNetwork === undefined ? "" : ip };
}

export function isWhole({ protocol, ip }: PortPart): boolean {
  return protocol === "" && ip === "";
}

/** Whether two parts of one port have anything in common: tcp and udp do not, nor two addresses. */
export function partsOverlap(one: PortPart, other: PortPart): boolean {
  return isCommon(one.protocol, other.protocol) && isCommon(one.ip, other.ip);
}

function isCommon(one: string, other: string): boolean {
  return one === "" || other === "" || one === other;
}

/** Who holds that, or a part of it; undefined: nobody. O(groups that hold parts of the port). */
export function holderOf(agent: Agent, part: PortPart): Group | undefined {
  return agent.ports.get(part.number)?.find(({ portParts }) => holds(portParts, part));
}

function holds(parts: readonly PortPart[], wanted: PortPart): boolean {
  let isPart = false;
  for (const part of parts) {
    if (part.number !== wanted.number) continue;
    if (partsOverlap(part, wanted)) return true;
    isPart = true;
  }
  return !isPart;
}

/** Notes that a group has ports whose numbers are known. Doing it twice changes nothing. */
export function takePorts(agent: Agent, group: Group): void {
  for (const number of group.numbers) {
    const holders = agent.ports.get(number);
    if (holders === undefined) agent.ports.set(number, [group]);
    else if (!holders.includes(group)) agent.ports.set(number, [...holders, group]);
  }
  if (group.numbers.length > 0) agent.portsTaken = undefined;
}

/** Notes that a group has them no more. */
export function dropPorts(agent: Agent, group: Group): void {
  for (const number of group.numbers) {
    const left = agent.ports.get(number)?.filter((holder) => holder !== group) ?? [];
    if (left.length === 0) agent.ports.delete(number);
    else agent.ports.set(number, left);
  }
  if (group.numbers.length > 0) agent.portsTaken = undefined;
}

export interface TakenPorts {
  /** Every port of which something is taken, in order. */
  readonly numbers: readonly number[];
  /** Of those that are taken in part alone: the parts. */
  readonly parts: readonly PortPart[];
}

const noneTaken: TakenPorts = Object.freeze({ numbers: Object.freeze([]), parts: noParts });

/** Ports of the agent that are known to be taken. Made anew only after a change. */
export function takenPorts(agent: Agent): TakenPorts {
  if (agent.portsTaken === undefined) {
    if (agent.ports.size === 0 && agent.foreignPorts.size === 0) return noneTaken;
    const numbers = [...new Set([...agent.ports.keys(), ...agent.foreignPorts])].sort((a, b) => a - b);
    const parts: PortPart[] = [];
    for (const [number, holders] of agent.ports) {
      if (agent.foreignPorts.has(number)) continue;
      const held = holders.map(({ portParts }) => portParts.filter((part) => part.number === number));
      if (held.every(({ length }) => length > 0)) parts.push(...held.flat());
    }
    agent.portsTaken = { numbers, parts };
  }
  return agent.portsTaken;
}

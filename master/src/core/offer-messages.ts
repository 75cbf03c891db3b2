import type { Offer as OfferMessage, PortPart, ReservedPart, Volume as VolumeMessage } from "@muster/proto";
import type { Offer } from "./model.ts";
import { takenPorts } from "./ports.ts";
import { reservedPart, volumeRecord } from "./records.ts";

const noReservedParts: ReservedPart[] = Object.freeze([]) as never;
const noVolumes: VolumeMessage[] = Object.freeze([]) as never;

/** What a framework is sent of an offer. Shares what the agent has: nothing in it is ever changed in place. */
export function offerMessage(offer: Offer): OfferMessage {
  const { agent, reserved, volumes } = offer;
  const { numbers, parts } = takenPorts(agent);
  return {
    offerId: offer.id,
    agentId: agent.id,
    agentName: agent.name,
    agentIp: agent.ip,
    role: offer.role,
    resources: offer.resources,
    attributes: agent.attributes as never,
    portsTaken: numbers as number[],
    portsInPart: parts as PortPart[],
    dynamicPortFirst: agent.dynamicPortFirst,
    dynamicPortLast: agent.dynamicPortLast,
    unavailability: agent.window ? { startAt: agent.window.startAt, durationMs: agent.window.durationMs } : null,
    reserved: reserved.length === 0 ? noReservedParts : reserved.map(reservedPart),
    volumes: volumes.length === 0 ? noVolumes : volumes.map(volumeRecord),
  };
}

/** About how long that is on the wire. */
export function offerBytes({ agent }: Offer): number {
  const { numbers, parts } = takenPorts(agent);
  return 200 + agent.attributes.length * 32 + numbers.length * 3 + parts.length * 24;
}

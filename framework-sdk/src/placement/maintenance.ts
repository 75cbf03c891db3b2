import type { Offer } from "@muster/proto";

/** Nothing that is to stay is begun on an agent so long before its planned maintenance, and what runs begins to leave. */
export const maintenanceAheadMs = 900_000;

/** Whether what is offered will not be there for long enough, at a moment in milliseconds since the epoch. */
export function isLeavingOffer({ unavailability }: Offer, epochMs: number): boolean {
  return unavailability !== null && unavailability.startAt - maintenanceAheadMs <= epochMs;
}

import { addResources, containsResources, noResources, type Resources } from "@muster/foundation";
import type { Reservation } from "@muster/proto";
import { copyOf } from "./changes.ts";
import type { SetAsideRecord, SetAsideState } from "./model.ts";

/** What is set aside by the agent's own settings: role and amounts. */
export interface StaticReservation {
  readonly role: string;
  readonly resources: Resources;
}

/** Its id: the same for as long as the settings name the role. */
export function staticId(agentId: string, role: string): string {
  return `static-${agentId}-${role.replaceAll("/", "_")}`;
}

/**
 * What is set aside when the agent begins: what its record has, and what its settings say now. One of the settings that
 * is no more, or less than what was made out of it, stays as it was until that is given back: `kept` names those.
 */
export function recoverSetAside(
  agentId: string,
  record: SetAsideRecord | undefined,
  statics: readonly StaticReservation[],
): { readonly state: SetAsideState; readonly kept: readonly string[] } {
  const recorded = new Map((record?.reservations ?? []).map((one) => [one.reservationId, copyOf(one)]));
  const volumes = new Map((record?.volumes ?? []).map((one) => [one.volumeId, { ...one, launchId: "" }]));
  const kept: string[] = [];
  const reservations = new Map<string, Reservation>();
  const wanted = new Map(statics.map((one) => [staticId(agentId, one.role), one]));
  const inUse = (id: string): Resources => {
    let sum = noResources;
    for (const { reservationId, diskMiB } of volumes.values())
      if (reservationId === id) sum = addResources(sum, { ...noResources, diskMiB });
    for (const { refinedId, resources } of recorded.values())
      if (refinedId === id && resources) sum = addResources(sum, resources);
    return sum;
  };
  for (const [id, { role, resources }] of wanted) {
    const old = recorded.get(id);
    if (old && !containsResources(resources, inUse(id))) {
      kept.push(id);
      reservations.set(id, old);
    } else
      reservations.set(id, {
        reservationId: id,
        role,
        resources,
        refinedId: "",
        labels: {},
        isStatic: true,
        principal: "",
      });
  }
  for (const [id, one] of recorded) {
    if (reservations.has(id)) continue;
    if (one.isStatic && containsResources(noResources, inUse(id))) continue;
    if (one.isStatic) kept.push(id);
    reservations.set(id, one);
  }
  return { state: { reservations: parentsFirst(reservations), volumes }, kept };
}

function parentsFirst(reservations: ReadonlyMap<string, Reservation>): ReadonlyMap<string, Reservation> {
  const sorted = [...reservations.values()].sort(
    (a, b) => a.role.split("/").length - b.role.split("/").length || (a.reservationId < b.reservationId ? -1 : 1),
  );
  return new Map(sorted.map((one) => [one.reservationId, one]));
}

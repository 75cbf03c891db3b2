import type { Refusal, Reservation, Volume } from "@muster/proto";
import type { SetAsideOperation, SetAsideState } from "./model.ts";

/** What an operation makes of what is set aside. One that is done already changes nothing. */
export function changed(state: SetAsideState, operation: SetAsideOperation): SetAsideState {
  const { reserve, unreserve, createVolume, destroyVolume, resizeVolume } = operation;
  if (reserve)
    return { ...state, reservations: new Map(state.reservations).set(reserve.reservationId, copyOf(reserve)) };
  if (unreserve !== undefined) return { ...state, reservations: without(state.reservations, unreserve) };
  if (createVolume) return withVolume(state, createVolume);
  if (destroyVolume !== undefined) return { ...state, volumes: without(state.volumes, destroyVolume) };
  if (resizeVolume) return withVolume(state, resizeVolume);
  return state;
}

function withVolume(state: SetAsideState, { volumeId, reservationId, diskMiB }: Volume): SetAsideState {
  const volume = { volumeId, reservationId, diskMiB, launchId: "" };
  return { ...state, volumes: new Map(state.volumes).set(volumeId, volume) };
}

/** Messages are not kept: they may be large, and are another's. */
export function copyOf(reservation: Reservation): Reservation {
  const { resources } = reservation;
  return {
    ...reservation,
    labels: { ...reservation.labels },
    resources: resources && { ...resources, custom: { ...resources.custom } },
  };
}

function without<T>(map: ReadonlyMap<string, T>, key: string): ReadonlyMap<string, T> {
  const rest = new Map(map);
  rest.delete(key);
  return rest;
}

/** Why an operation can't be done here; undefined: nothing speaks against it. The master has seen to amounts. */
export function operationFault(
  state: SetAsideState,
  operation: SetAsideOperation,
  usedBy: (volumeId: string) => string | undefined,
  hasVolumes: boolean,
): Refusal | undefined {
  const { reserve, unreserve, createVolume, destroyVolume, resizeVolume } = operation;
  if (reserve && reserve.refinedId !== "" && !state.reservations.has(reserve.refinedId))
    return refusal("not-found", `the agent has no reservation ${reserve.refinedId}`);
  if (unreserve !== undefined) {
    const inner = [...state.volumes.values()].find(({ reservationId }) => reservationId === unreserve);
    if (inner) return refusal("wrong-state", `volume ${inner.volumeId} is in it`);
    if (state.reservations.get(unreserve)?.isStatic) return refusal("wrong-state", "it is of the agent's own settings");
  }
  if (createVolume) {
    if (!hasVolumes) return refusal("unsupported", "this agent can't keep volumes");
    if (!state.reservations.has(createVolume.reservationId))
      return refusal("not-found", `the agent has no reservation ${createVolume.reservationId}`);
  }
  const changedId = destroyVolume ?? resizeVolume?.volumeId;
  const user = changedId === undefined ? undefined : usedBy(changedId);
  if (user !== undefined) return refusal("wrong-state", `volume ${changedId} is used by launch ${user}`);
  if (resizeVolume && !state.volumes.has(resizeVolume.volumeId))
    return refusal("not-found", `the agent has no volume ${resizeVolume.volumeId}`);
  return undefined;
}

export function refusal(kind: string, message: string): Refusal {
  return { kind, message, field: "", retryAfterMs: 0 };
}

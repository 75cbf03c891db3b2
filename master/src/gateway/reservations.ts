import { noResources, type Peer, type Result, resources } from "@muster/foundation";
import type { ReservationRecord } from "@muster/proto";
import { reservationRecord, volumeRecord } from "../core/records.ts";
import type { SetAsideOutcome } from "../core/set-aside/calls.ts";
import type { Reservation } from "../core/set-aside/model.ts";
import type { SetAsideWish } from "../core/set-aside/wishes.ts";
import type { Loop } from "../loop.ts";
import type { MasterHandlers } from "./guard.ts";

type ReservationHandlers = Pick<
  MasterHandlers,
  | "Operator.ListReservations"
  | "Operator.Reserve"
  | "Operator.Unreserve"
  | "Operator.CreateVolume"
  | "Operator.DestroyVolume"
  | "Operator.ResizeVolume"
>;

/** What operators set aside on agents. Answered when the agent has it on its disk. */
export function serveReservations(loop: () => Loop): ReservationHandlers {
  const ask = (
    { principal }: Peer,
    agentId: string,
    isDryRun: boolean,
    wish: SetAsideWish,
    respond: (result: Result<SetAsideOutcome>) => void,
  ): undefined => {
    loop().post({ type: "set-aside-called", call: { agentId, wish, principal, isDryRun, respond } });
    return undefined;
  };
  return {
    "Operator.ListReservations": ({ agentId, role }, _peer, respond) => {
      respond({ ok: true, value: { reservations: listReservations(loop(), agentId, role) } });
      return undefined;
    },
    "Operator.Reserve": (request, peer, respond) => {
      const { role, labels, refinedId } = request;
      const amounts = resources(request.resources ?? noResources);
      const wish = { type: "reserve", reservationId: "", role, resources: amounts, labels, refinedId } as const;
      return ask(peer, request.agentId, request.dryRun, wish, respond);
    },
    "Operator.Unreserve": ({ reservationId, dryRun }, peer, respond) =>
      ask(peer, "", dryRun, { type: "unreserve", reservationId }, respond),
    "Operator.CreateVolume": ({ agentId, dryRun, role, volumeId, diskMiB, reservationId }, peer, respond) =>
      ask(peer, agentId, dryRun, { type: "create_volume", role, volumeId, diskMiB, reservationId }, respond),
    "Operator.DestroyVolume": ({ agentId, volumeId, dryRun }, peer, respond) =>
      ask(peer, agentId, dryRun, { type: "destroy_volume", volumeId }, respond),
    "Operator.ResizeVolume": ({ agentId, volumeId, diskMiB, dryRun }, peer, respond) =>
      ask(peer, agentId, dryRun, { type: "resize_volume", volumeId, diskMiB }, respond),
  };
}

/** O(agents, and reservations of those that match). */
function listReservations(loop: Loop, agentId: string, role: string): ReservationRecord[] {
  const { agents } = loop.core.state;
  const named = agentId === "" ? [...agents.values()] : [...agents.values()].filter(({ id }) => id === agentId);
  return named
    .filter(({ setAside }) => setAside !== undefined)
    .sort((a, b) => compare(a.name, b.name) || compare(a.id, b.id))
    .flatMap(({ setAside }) => [...(setAside?.reservations.values() ?? [])].sort(inOrder))
    .filter((one) => role === "" || one.role.name === role || one.role.name.startsWith(`${role}/`))
    .map(recordOf);
}

function inOrder(a: Reservation, b: Reservation): number {
  return compare(a.role.name, b.role.name) || compare(a.id, b.id);
}

function recordOf(reservation: Reservation): ReservationRecord {
  const { agent, idle, isSettled, volumes } = reservation;
  return {
    reservation: reservationRecord(reservation),
    agentId: agent.id,
    agentName: agent.name,
    idle,
    volumes: [...volumes].map(volumeRecord),
    isKept: isSettled,
  };
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

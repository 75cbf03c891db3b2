import { noResources } from "@muster/foundation";
import type { ReservationRecord } from "@muster/proto";
import type { Invocation } from "../../command.ts";
import { type Client, message } from "../../connect/client.ts";
import { findAgent } from "../operate/find.ts";

/** The reservations that --agent and --role ask for. */
export async function listed(client: Client, { options }: Invocation): Promise<readonly ReservationRecord[]> {
  const given = options.text("agent");
  const agentId = given === undefined ? "" : (await findAgent(client, given)).agentId;
  const request = message("ListReservationsRequest", { agentId, role: options.text("role") ?? "" });
  return (await client.call("Operator.ListReservations", request)).reservations;
}

/** For programs. */
export function reservationJson({ reservation, agentId, agentName, idle, isKept, volumes }: ReservationRecord) {
  return {
    id: reservation?.reservationId ?? "",
    role: reservation?.role ?? "",
    agentId,
    agent: agentName,
    resources: reservation?.resources ?? noResources,
    idle: idle ?? noResources,
    refinedId: reservation?.refinedId ?? "",
    labels: reservation?.labels ?? {},
    static: reservation?.isStatic ?? false,
    principal: reservation?.principal ?? "",
    kept: isKept,
    volumes: volumes.map(({ volumeId, diskMiB, launchId }) => ({ id: volumeId, diskMiB, launchId })),
  };
}

import type { AgentOperation } from "@muster/proto";
import { copyOf } from "./core/set-aside/changes.ts";
import type { SetAsideOperation } from "./core/set-aside/model.ts";

/** Volumes are folders under their ids. */
const idForm = /^(?!\.{1,2}$)[A-Za-z0-9._-]{1,255}$/;

/** Copies an operation from the wire, where what it is not about has a default; undefined: it is about nothing, or has no id. */
export function operationFromWire(wire: AgentOperation): SetAsideOperation | undefined {
  const { operationId } = wire;
  if (operationId === "") return undefined;
  if (wire.reserve) return { operationId, reserve: copyOf(wire.reserve) };
  const volume = wire.createVolume ?? wire.resizeVolume;
  const named = volume?.volumeId ?? (wire.unreserve || wire.destroyVolume || "");
  if (!idForm.test(named)) return undefined;
  if (volume) {
    const { volumeId, reservationId, diskMiB } = volume;
    const copy = { volumeId, reservationId, diskMiB, launchId: "" };
    return wire.createVolume ? { operationId, createVolume: copy } : { operationId, resizeVolume: copy };
  }
  return wire.unreserve ? { operationId, unreserve: named } : { operationId, destroyVolume: named };
}

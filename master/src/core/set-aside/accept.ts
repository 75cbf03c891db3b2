import { addResources, invalid, MusterError, noResources, subtractResources } from "@muster/foundation";
import type { Operation } from "@muster/proto";
import type { Core } from "../core.ts";
import type { LaunchPlace } from "../launch.ts";
import { limits } from "../limits.ts";
import { nearestFirst } from "./books.ts";
import { beginOperation } from "./operations.ts";
import { sumOf } from "./shares.ts";
import { leftAfter, planWish, type SetAsideWish } from "./wishes.ts";

/**
 * One step of an accept that changes what is set aside: what it makes is there for the steps after it. What it gives
 * back is not: that is free for everybody when the agent has forgotten it. O(reservations of the agent).
 */
export function changeSetAside(
  core: Core,
  place: LaunchPlace,
  operation: Operation,
  field: string,
): MusterError | undefined {
  const wish = wishOf(operation);
  if (wish === undefined) return invalid(field, "an operation says what to do");
  const { framework, member, agent } = place;
  if (operation.operationId.length > limits.idLength)
    return invalid(`${field}.operation_id`, `must have at most ${limits.idLength} characters`);
  const source = {
    agent,
    plain: subtractResources(place.left, sumOf(place.reserved)),
    shares: place.reserved,
    volumes: place.volumes,
    role: member.role.name,
    where: "in the offers",
  };
  const plan = planWish(source, wish, `${field}.${wish.type}`);
  if (plan instanceof MusterError) return plan;
  const { subject } = beginOperation(core, agent, plan, { framework, ownId: operation.operationId });
  const left = leftAfter(source, plan, subject);
  const shares = [...left.shares].sort(nearestFirst);
  place.left = addResources(left.plain, sumOf(shares));
  place.reserved = shares;
  place.volumes = left.volumes;
  return undefined;
}

function wishOf(operation: Operation): SetAsideWish | undefined {
  if (operation.reserve) {
    const { reservationId, role, resources, labels, refinedId } = operation.reserve;
    return { type: "reserve", reservationId, role, resources: resources ?? noResources, labels, refinedId };
  }
  if (operation.unreserve) return { type: "unreserve", reservationId: operation.unreserve.reservationId };
  if (operation.createVolume) return { type: "create_volume", role: "", ...operation.createVolume };
  if (operation.destroyVolume) return { type: "destroy_volume", volumeId: operation.destroyVolume.volumeId };
  if (operation.resizeVolume) return { type: "resize_volume", ...operation.resizeVolume };
  return undefined;
}

import { addResources, type ErrorKind, MusterError, noResources } from "@muster/foundation";
import type { Accept, Decline, Operation } from "@muster/proto";
import type { Core } from "./core.ts";
import { noteDecline } from "./declines.ts";
import { useDemanded } from "./demand-counts.ts";
import { isNothing, type LaunchPlace, launchGroup, refuseGroup } from "./launch.ts";
import { limits } from "./limits.ts";
import type { Framework, Offer } from "./model.ts";
import { addFilter, endOffer, refuseMs } from "./offers.ts";
import { changeSetAside } from "./set-aside/accept.ts";
import { tellFramework } from "./set-aside/operations.ts";
import { joinShares } from "./set-aside/shares.ts";

/** Uses offers. Each task of each launch either starts or is told why not. O(offers + tasks). */
export function takeAccept(core: Core, framework: Framework, accept: Accept, field: string): void {
  const counts = countFault(accept);
  if (counts !== undefined) {
    core.refuse(framework, "accept", accept.offerIds[0] ?? "", "too-many", counts, field);
    refuseAll(core, framework, accept, counts);
    return;
  }
  const found = findOffers(core, framework, accept.offerIds, field);
  if (found.fault !== undefined) {
    const { kind, message, path, offerId } = found.fault;
    for (const offer of found.offers) {
      endOffer(core, offer, "declined");
      core.count("offers_ended", "refused");
    }
    core.refuse(framework, "accept", offerId, kind, message, path);
    refuseAll(core, framework, accept, message);
    return;
  }
  const first = found.offers[0] as Offer;
  const { member, agent } = first;
  const place: LaunchPlace = { framework, member, agent, left: noResources, reserved: [], volumes: [] };
  for (const offer of found.offers) {
    place.left = addResources(place.left, offer.resources);
    if (offer.reserved.length > 0) place.reserved = joinShares(place.reserved, offer.reserved);
    if (offer.volumes.length > 0) place.volumes = [...place.volumes, ...offer.volumes];
    endOffer(core, offer, accept.operations.length === 0 ? "declined" : "accepted");
  }
  core.count("offers_ended", accept.operations.length === 0 ? "declined" : "accepted", found.offers.length);
  if (accept.operations.length === 0) for (const _ of found.offers) noteDecline(framework);
  else noteUse(core, framework, found.offers, accept.operations);
  runOperations(core, place, accept.operations, field);
  if (!isNothing(place.left)) addFilter(core, framework, place.agent, first.role, place.left, refuseMs(accept.filters));
}

/** Step by step, each on what those before it left. After one that can't be done none is; those before it stand. */
function runOperations(core: Core, place: LaunchPlace, operations: readonly Operation[], field: string): void {
  let failed = "";
  for (const [index, operation] of operations.entries()) {
    const path = `${field}.operations[${index}]`;
    if (operation.launch) {
      for (const [number, group] of operation.launch.groups.entries())
        if (failed === "") launchGroup(core, place, group, `${path}.launch.groups[${number}]`);
        else refuseGroup(core, place.framework, group, "earlier", failed);
      continue;
    }
    const fault =
      failed === "" ? changeSetAside(core, place, operation, path) : new MusterError("stale", failed, { field: path });
    if (fault === undefined) continue;
    refuseOperation(core, place, operation, fault);
    if (failed === "") failed = `an earlier step of the accept could not be done: ${fault.message}`;
  }
}

function refuseOperation(
  core: Core,
  { framework, agent }: LaunchPlace,
  operation: Operation,
  fault: MusterError,
): void {
  const { kind, message, field = "" } = fault;
  core.refuse(framework, "accept", operation.operationId, kind, message, field);
  const refusal = { kind, message, field, retryAfterMs: fault.retryAfterMs ?? 0 };
  const { operationId } = operation;
  tellFramework(core, framework, { operationId, refusal, reservationId: "", agentId: agent.id });
}

/** Offers are used: the framework is no longer one that only declines, and wants as many fewer as it starts. */
function noteUse(core: Core, framework: Framework, offers: readonly Offer[], operations: readonly Operation[]): void {
  framework.declinedInRow = 0;
  framework.offersAccepted += offers.length;
  const parts = offers.flatMap(({ demanded }) => demanded);
  if (parts.length === 0) return;
  let groupCount = 0;
  for (const { launch } of operations) groupCount += launch?.groups.length ?? 0;
  useDemanded(core, framework, parts, groupCount);
}

/** What an operation that is no launch is called; empty if it says nothing. */
export function kindOf(operation: Operation): string {
  if (operation.reserve) return "reserve";
  if (operation.unreserve) return "unreserve";
  if (operation.createVolume) return "create_volume";
  if (operation.destroyVolume) return "destroy_volume";
  if (operation.resizeVolume) return "resize_volume";
  return "";
}

function countFault(accept: Accept): string | undefined {
  if (accept.offerIds.length > limits.offersPerCall) return `at most ${limits.offersPerCall} offers an accept`;
  return operationsFault(accept.operations, "an accept");
}

/** Whether an accept or a claim asks for more at once than it may. */
export function operationsFault(operations: readonly Operation[], call: string): string | undefined {
  if (operations.length > limits.operationsPerAccept) return `at most ${limits.operationsPerAccept} operations ${call}`;
  let groups = 0;
  for (const { launch } of operations) groups += launch?.groups.length ?? 0;
  return groups > limits.groupsPerAccept ? `at most ${limits.groupsPerAccept} groups ${call}` : undefined;
}

interface FoundOffers {
  /** Those that are the framework's own and still stand. */
  offers: Offer[];
  fault: { kind: ErrorKind; message: string; path: string; offerId: string } | undefined;
}

/** Offers of one framework, one agent and one role, each named once. */
function findOffers(core: Core, framework: Framework, ids: readonly string[], field: string): FoundOffers {
  const found: FoundOffers = { offers: [], fault: undefined };
  const fail = (kind: ErrorKind, message: string, path: string, offerId: string): void => {
    found.fault ??= { kind, message, path, offerId };
  };
  if (ids.length === 0) fail("invalid", "an accept names at least one offer", `${field}.offer_ids`, "");
  for (const [index, id] of ids.entries()) {
    const path = `${field}.offer_ids[${index}]`;
    const offer = core.state.offers.get(id);
    if (offer === undefined || offer.framework !== framework) {
      fail("offer-gone", `no offer ${id} of this framework: it was answered, rescinded or never made`, path, id);
      continue;
    }
    if (found.offers.includes(offer)) {
      fail("invalid", `offer ${id} is named twice`, path, id);
      continue;
    }
    const first = found.offers[0];
    found.offers.push(offer);
    if (first !== undefined && first.agent !== offer.agent)
      fail("invalid", `offers ${first.id} and ${id} are of two agents`, path, id);
    else if (first !== undefined && first.role !== offer.role)
      fail("invalid", `offers ${first.id} and ${id} are for two roles`, path, id);
  }
  return found;
}

function refuseAll(core: Core, framework: Framework, accept: Accept, message: string): void {
  for (const { launch } of accept.operations)
    for (const group of launch?.groups ?? []) refuseGroup(core, framework, group, "offers", message);
}

/** Gives offers back, and keeps what they held away for a while. An offer of somebody else is not touched. */
export function takeDecline(core: Core, framework: Framework, decline: Decline, field: string): void {
  if (decline.offerIds.length > limits.offersPerCall) {
    core.refuse(framework, "decline", "", "too-many", `at most ${limits.offersPerCall} offers a decline`, field);
    return;
  }
  const forMs = refuseMs(decline.filters);
  for (const [index, id] of decline.offerIds.entries()) {
    const offer = core.state.offers.get(id);
    if (offer === undefined || offer.framework !== framework) {
      core.refuse(
        framework,
        "decline",
        id,
        "offer-gone",
        `no offer ${id} of this framework`,
        `${field}.offer_ids[${index}]`,
      );
      continue;
    }
    noteDecline(framework);
    core.count("offers_ended", "declined");
    endOffer(core, offer, "declined");
    addFilter(core, framework, offer.agent, offer.role, offer.resources, forMs);
  }
}

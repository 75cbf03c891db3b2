import { isEmptyResources, MusterError, noResources, type Resources, type Result } from "@muster/foundation";
import { type Bound, noBound } from "../allocator/bound.ts";
import { encodeRole, roleKey } from "../registry/roles.ts";
import type { Core } from "./core.ts";
import { limits } from "./limits.ts";
import { rescindOffer } from "./offers.ts";
import { armLook } from "./preemption/arm.ts";
import { offersAbove, offersInTheWay } from "./quota-offers.ts";
import { usedBy } from "./records.ts";
import type { RoleCall, RoleChange, RoleOutcome } from "./role-changes.ts";
import { quotaFault, weightFault } from "./role-faults.ts";

/** An operator wants a change. One is written after the other, so that each is judged by what then holds. */
export function takeRoleCall(core: Core, call: RoleCall): void {
  const { roleCalls } = core.state;
  if (call.isDryRun) {
    const fault = faultOf(core, call.change);
    respond(core, call, fault ? { ok: false, error: fault } : { ok: true, value: outcomeOf(core, call.change) });
  } else if (roleCalls.length >= limits.roleCallsWaiting) {
    const error = new MusterError("too-many", "too many changes of roles wait for the store", { retryAfterMs: 1_000 });
    respond(core, call, { ok: false, error });
  } else {
    roleCalls.push(call);
    if (roleCalls.length === 1) beginNext(core);
  }
}

/** The store has what was asked for last, or did not take it. */
export function roleStored(core: Core, error: MusterError | undefined): void {
  const call = core.state.roleCalls.shift();
  if (call === undefined) return;
  if (error) {
    const details = { retryAfterMs: 1_000, cause: error };
    respond(core, call, { ok: false, error: new MusterError("unavailable", "the store does not answer", details) });
  } else {
    const outcome = outcomeOf(core, call.change);
    apply(core, call.change);
    respond(core, call, { ok: true, value: outcome });
  }
  beginNext(core);
}

function beginNext(core: Core): void {
  const { roleCalls } = core.state;
  for (let call = roleCalls[0]; call !== undefined; call = roleCalls[0]) {
    const fault = faultOf(core, call.change);
    if (fault === undefined) {
      const { role } = call.change;
      const written = (error: MusterError | undefined) => ({ type: "role-stored", error }) as const;
      core.effects.push({ type: "store", key: roleKey(role), value: entryOf(core, call.change), written });
      return;
    }
    roleCalls.shift();
    respond(core, call, { ok: false, error: fault });
  }
}

function respond(core: Core, call: RoleCall, result: Result<RoleOutcome>): void {
  core.effects.push({ type: "respond", respond: () => call.respond(result) });
}

function faultOf(core: Core, change: RoleChange): MusterError | undefined {
  return change.type === "weight" ? weightFault(core, change) : quotaFault(core, change);
}

/** What the registry is to hold of the role after the change; nothing if nothing is said of it any more. */
function entryOf(core: Core, change: RoleChange): Uint8Array | undefined {
  const role = core.state.allocator.roles.get(change.role);
  const weightMillis = change.type === "weight" ? change.weightMillis : (role?.weightMillis ?? 1_000);
  const quota = change.type === "quota" ? quotaOf(change) : role?.quota;
  if (weightMillis === 1_000 && quota === undefined) return undefined;
  const { guarantee, limit } = quota ?? { guarantee: noResources, limit: noBound };
  return encodeRole({ role: change.role, weightMillis, guarantee, limit });
}

function quotaOf({ guarantee, limit }: { guarantee: Resources; limit: Bound }) {
  return limit === noBound && isEmptyResources(guarantee) ? undefined : { guarantee, limit };
}

/** What the change does to offers. The change is tried on the allocator and taken back. */
function outcomeOf(core: Core, change: RoleChange): RoleOutcome {
  const { allocator } = core.state;
  const role = allocator.roles.get(change.role);
  const outcome = {
    weightMillisBefore: role?.weightMillis ?? 1_000,
    offersRescinded: 0,
    allocated: role ? usedBy(role) : noResources,
  };
  if (change.type === "weight") return outcome;
  const before = role?.quota;
  allocator.setQuota(change.role, quotaOf(change));
  const ended = new Set([...offersAbove(core, change.role), ...offersInTheWay(core)]);
  allocator.setQuota(change.role, before);
  return { ...outcome, offersRescinded: ended.size };
}

function apply(core: Core, change: RoleChange): void {
  const { allocator } = core.state;
  const { role } = change;
  core.state.changedRoles.add(role);
  if (change.type === "weight") {
    allocator.setWeight(role, change.weightMillis);
    core.log("info", { role, weightMillis: change.weightMillis }, "weight of a role changed");
    return;
  }
  allocator.setQuota(role, quotaOf(change));
  for (const offer of offersAbove(core, role)) rescindOffer(core, offer, "the quota of its role has changed");
  for (const offer of offersInTheWay(core)) rescindOffer(core, offer, "it is needed for the quota of another role");
  armLook(core, true);
  core.log("info", { role, guarantee: change.guarantee, limit: change.limit }, "quota of a role changed");
}

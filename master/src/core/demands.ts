import { type ErrorKind, isEmptyResources, MusterError, resources, sameResources } from "@muster/foundation";
import type { Demand as DemandCall } from "@muster/proto";
import { markAllDirty } from "./allocate.ts";
import type { Core } from "./core.ts";
import { Demand } from "./demand-shapes.ts";
import { settleEagerness } from "./framework-life.ts";
import { limits } from "./limits.ts";
import type { Framework } from "./model.ts";
import { clearFilters } from "./offers.ts";
import { armLook } from "./preemption/arm.ts";
import { dropHold } from "./preemption/holds.ts";
import { priorityFault, readConstraints, resourcesFault, revocableFault } from "./validate.ts";

/** Takes in what a framework wants. Each is answered for itself: one that is wrong leaves the others. */
export function takeDemands(core: Core, framework: Framework, calls: readonly DemandCall[]): void {
  if (calls.length === 0) return;
  if (calls.length > limits.demandsPerFramework) {
    core.refuse(framework, "demand", "", "too-many", `at most ${limits.demandsPerFramework} demands`, "demands");
    return;
  }
  let isMore = false;
  for (const [index, call] of calls.entries())
    if (takeDemand(core, framework, call, `demands[${index}]`)) isMore = true;
  settleEagerness(core, framework);
  if (isMore) {
    markAllDirty(core);
    armLook(core, true);
  }
  core.state.changedFrameworks.add(framework);
}

/** True if more is wanted than before: what was refused or did not matter may be welcome now. */
function takeDemand(core: Core, framework: Framework, call: DemandCall, field: string): boolean {
  const refuse = (kind: ErrorKind, message: string, path: string): false => {
    core.refuse(framework, "demand", call.demandId || call.role, kind, message, path);
    return false;
  };
  const { role, demandId, count } = call;
  if (!framework.roles.includes(role))
    return refuse("invalid", `"${role}" is none of the framework's roles`, `${field}.role`);
  if (demandId.length > limits.idLength)
    return refuse("invalid", `must have at most ${limits.idLength} characters`, `${field}.demand_id`);
  if (count > limits.demandCount) return refuse("invalid", `must be at most ${limits.demandCount}`, `${field}.count`);
  const fault =
    resourcesFault(`${field}.resources`, call.resources) ??
    revocableFault(framework, `${field}.resources`, call.resources);
  if (fault) return refuse(fault.kind, fault.message, fault.field ?? field);
  const priority = priorityFault(`${field}.priority`, call.priority);
  if (priority) return refuse(priority.kind, priority.message, priority.field ?? field);
  const shape = resources(call.resources);
  if (count > 0 && isEmptyResources(shape)) return refuse("invalid", "must ask for something", `${field}.resources`);
  if (call.agentIds.length > limits.agentsPerDemand)
    return refuse("too-many", `must be at most ${limits.agentsPerDemand}`, `${field}.agent_ids`);
  if (call.constraints.length > limits.constraintsPerFramework)
    return refuse("too-many", `must be at most ${limits.constraintsPerFramework}`, `${field}.constraints`);
  const constraints = readConstraints(`${field}.constraints`, call.constraints);
  if (constraints instanceof MusterError)
    return refuse(constraints.kind, constraints.message, constraints.field ?? field);
  framework.demands ??= new Map();
  const demands = framework.demands.get(role) ?? new Map<string, Demand>();
  const before = demands.get(demandId);
  if (before === undefined && demandCount(framework) >= limits.demandsPerFramework)
    return refuse("too-many", `at most ${limits.demandsPerFramework} demands`, field);
  framework.demands.set(role, demands);
  framework.suppressed.delete(role);
  if (count === 0) {
    demands.delete(demandId);
    endHoldsOf(core, framework, before);
    return false;
  }
  const isSame = before !== undefined && sameResources(before.shape, shape) && call.constraints.length === 0;
  if (before !== undefined && isSame && before.constraints.length === 0) {
    const isMore = count > before.count;
    const wasPatient = before.isPatient;
    before.count = count;
    describe(before, call);
    if (wasPatient && !before.isPatient) armLook(core, true);
    return welcome(core, framework, before, isMore);
  }
  const demand = new Demand(demandId, role, shape, constraints, count);
  describe(demand, call);
  demands.set(demandId, demand);
  endHoldsOf(core, framework, before);
  return welcome(core, framework, demand, true);
}

function describe(demand: Demand, { priority, isWhole = false, isPatient = false, agentIds }: DemandCall): void {
  demand.priority = priority;
  demand.isWhole = isWhole;
  demand.isPatient = isPatient;
  demand.places = agentIds.length === 0 ? undefined : new Set(agentIds);
}

/**
 * What follows from wanting more; true: all agents are to be looked at. Who is offered agents whole says by a revival when
 * it wants to see again what it has refused.
 */
function welcome(core: Core, framework: Framework, demand: Demand, isMore: boolean): boolean {
  if (!isMore) return false;
  if (demand.isWhole) {
    armLook(core, true);
    return framework.members.get(demand.role)?.isEager !== true;
  }
  clearFilters(core, framework, demand.role);
  return true;
}

/** A demand is no more: nothing is kept for it. */
function endHoldsOf(core: Core, framework: Framework, demand: Demand | undefined): void {
  for (const hold of [...framework.holds]) if (hold.demand === demand) dropHold(core, hold);
}

function demandCount(framework: Framework): number {
  let count = 0;
  for (const demands of framework.demands?.values() ?? []) count += demands.size;
  return count;
}

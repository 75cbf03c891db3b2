import {
  addResources,
  formatResources,
  invalid,
  isEmptyResources,
  MusterError,
  missingResource,
  noResources,
  type Resources,
} from "@muster/foundation";
import { firstAbove, noBound } from "../allocator/bound.ts";
import type { Core } from "./core.ts";
import { limits } from "./limits.ts";
import type { Role } from "./model.ts";
import { consumedBy } from "./records.ts";
import type { RoleChange } from "./role-changes.ts";
import { firmFault, resourcesFault, roleFault } from "./validate.ts";

/** In thousandths: a thousandth to a thousand times the usual. */
export const weightMillisMax = 1_000_000;

type QuotaChange = Extract<RoleChange, { type: "quota" }>;
type WeightChange = Extract<RoleChange, { type: "weight" }>;

export function weightFault(core: Core, { role, weightMillis }: WeightChange): MusterError | undefined {
  const fault = roleFault("role", role) ?? countFault(core, role);
  if (fault) return fault;
  if (!Number.isSafeInteger(weightMillis) || weightMillis < 1 || weightMillis > weightMillisMax)
    return invalid("weight_millis", `must be 1 to ${weightMillisMax}; 1000 is the usual weight`);
  return undefined;
}

/** What is wrong with a quota by itself, beside those of other roles, and as the cluster is. O(roles + offers). */
export function quotaFault(core: Core, change: QuotaChange): MusterError | undefined {
  return (
    roleFault("role", change.role) ??
    resourcesFault("guarantee", change.guarantee) ??
    firmFault("guarantee", change.guarantee) ??
    countFault(core, change.role) ??
    withinLimitFault(change) ??
    treeFault(core, change) ??
    (change.force ? undefined : presentFault(core, change))
  );
}

function countFault(core: Core, name: string): MusterError | undefined {
  let count = 0;
  for (const role of core.state.allocator.roles.values())
    if (role.name !== name && (role.quota !== undefined || role.weightMillis !== 1_000)) count++;
  if (count < limits.rolesWithSettings) return undefined;
  return new MusterError("too-many", `at most ${limits.rolesWithSettings} roles have a weight or a quota`);
}

function withinLimitFault({ guarantee, limit }: QuotaChange): MusterError | undefined {
  const name = firstAbove(guarantee, limit);
  return name === undefined ? undefined : invalid("guarantee", `promises more ${name} than the limit allows`);
}

/** What is promised to roles below a role is part of what it is promised itself. */
function treeFault(core: Core, { role: name, guarantee }: QuotaChange): MusterError | undefined {
  const { allocator } = core.state;
  const below = promisedTo(allocator.roles.get(name)?.children.values() ?? []);
  if (missingResource(below, guarantee)) {
    const message = `roles below ${name} are promised ${formatResources(below)}: ${name} must be promised as much`;
    return invalid("guarantee", message);
  }
  const slash = name.lastIndexOf("/");
  if (slash < 0) return undefined;
  const parentName = name.slice(0, slash);
  const parent = allocator.roles.get(parentName);
  const siblings = [...(parent?.children.values() ?? [])].filter((role) => role.name !== name);
  const all = addResources(promisedTo(siblings), guarantee);
  const promised = parent?.quota?.guarantee ?? noResources;
  if (missingResource(all, promised) === undefined) return undefined;
  return invalid(
    "guarantee",
    `${parentName} is promised ${formatResources(promised)}, and roles below it would be promised ${formatResources(all)}: raise the guarantee of ${parentName} first`,
  );
}

function promisedTo(roles: Iterable<Role>): Resources {
  let sum = noResources;
  for (const { quota } of roles) if (quota) sum = addResources(sum, quota.guarantee);
  return sum;
}

/** Promising what is not there, or allowing less than is used, is most often a slip: it has to be forced. */
function presentFault(core: Core, change: QuotaChange): MusterError | undefined {
  const { allocator, awaited } = core.state;
  if (change.limit === noBound && isEmptyResources(change.guarantee)) return undefined;
  if (awaited.size > 0) {
    const message = `what is there and what is used is not known while ${awaited.size} agents are awaited: wait, or force it`;
    return new MusterError("unavailable", message, { retryAfterMs: 1_000 });
  }
  const tops = [...allocator.root.children.values()].filter((role) => role.name !== change.role);
  const ofTop = change.role.includes("/") ? noResources : change.guarantee;
  const all = addResources(promisedTo(tops), ofTop);
  const lacking = isEmptyResources(change.guarantee) ? undefined : missingResource(all, allocator.total);
  if (lacking) {
    const message = `all roles would be promised ${formatResources(all)}, the cluster has ${formatResources(allocator.total)}: there is not enough ${lacking.name}; force it if more agents will come`;
    return new MusterError("wrong-state", message, { field: "guarantee" });
  }
  const role = allocator.roles.get(change.role);
  const used = role ? consumedBy(role) : noResources;
  const above = firstAbove(used, change.limit);
  if (above === undefined) return undefined;
  const message = `${change.role} uses, or has reserved, ${formatResources(used)}, more ${above} than the limit; force it, and nothing more is offered until tasks end`;
  return new MusterError("wrong-state", message, { field: "limit" });
}

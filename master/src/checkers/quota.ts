import { addResources, formatResources, noResources, type Resources, subtractResources } from "@muster/foundation";
import type { RoleRecord } from "@muster/proto";
import { type Checker, type MasterView, type Violation, violation } from "./view.ts";

const scalars = [
  ["cpu", "cpuMillis"],
  ["memory", "memoryMiB"],
  ["disk", "diskMiB"],
  ["ports", "portCount"],
] as const;

/**
 * No role is offered what takes it, with its tasks and those of roles below, above a limit. Tasks alone may be above it:
 * a limit can be set by force, and an agent come back late.
 */
export const limitsKept: Checker = ({ roles }) => roles.flatMap(checkLimit);

function checkLimit(role: RoleRecord): Violation[] {
  const { limit, limitedToNone } = role;
  const [allocated, offered] = [role.allocated ?? noResources, role.offered ?? noResources];
  const held = addResources(allocated, offered);
  if (limit === null) return [];
  const above = (name: string, most: number, has: number, isOffered: number): Violation[] => {
    const isBounded = most > 0 || limitedToNone.includes(name);
    if (!isBounded || has <= most || isOffered === 0) return [];
    const detail = `${name} of ${most}: uses ${formatResources(allocated)}, is offered ${formatResources(offered)}`;
    return [violation("limit-exceeded", role.role, detail)];
  };
  return [
    ...scalars.flatMap(([name, key]) => above(name, limit[key], held[key], offered[key])),
    ...Object.keys(limit.custom).flatMap((name) =>
      above(name, limit.custom[name] ?? 0, held.custom[name] ?? 0, offered.custom[name] ?? 0),
    ),
  ];
}

/**
 * What is free is enough for every guarantee that is not kept. To be asked when all agents have been there for a while:
 * one that is lost takes what was kept with it.
 */
export function guaranteesCanBeKept({ roles, agents }: MasterView): Violation[] {
  let free = noResources;
  for (const { total, allocated, offered } of agents) {
    const used = addResources(allocated ?? noResources, offered ?? noResources);
    free = addResources(free, subtractResources(total ?? noResources, used));
  }
  const lacking = (key: keyof Omit<Resources, "custom">): number => {
    let need = 0;
    for (const { role, guarantee, allocated, offered } of roles)
      if (!role.includes("/") && guarantee !== null)
        need += Math.max(0, guarantee[key] - (allocated?.[key] ?? 0) - (offered?.[key] ?? 0));
    return need - free[key];
  };
  return scalars
    .filter(([, key]) => lacking(key) > 0)
    .map(([name, key]) =>
      violation("guarantee-at-risk", name, `free is less by ${lacking(key)} than what is promised`),
    );
}

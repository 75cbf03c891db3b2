import { addResources, formatResources, noResources, type Resources, subtractResources } from "@muster/foundation";
import type { OfferRecord, RoleRecord } from "@muster/proto";
import { isWithin } from "./role-names.ts";
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
export const limitsKept: Checker = ({ roles, offers }) => roles.flatMap((role) => checkLimit(role, offers));

function checkLimit(role: RoleRecord, offers: readonly OfferRecord[]): Violation[] {
  const { limit, limitedToNone } = role;
  if (limit === null) return [];
  const [allocated, setAside] = [role.allocated ?? noResources, role.setAside ?? noResources];
  const held = addResources(addResources(allocated, setAside), role.offered ?? noResources);
  // What is reserved is offered also above a limit, under which it was counted when it was set aside.
  const offered = offers.filter((offer) => isWithin(offer.role, role.role)).reduce(plus, noResources);
  const above = (name: string, most: number, has: number, isOffered: number): Violation[] => {
    const isBounded = most > 0 || limitedToNone.includes(name);
    if (!isBounded || has <= most || isOffered === 0) return [];
    const detail = `${name} of ${most}: uses ${formatResources(allocated)}, has ${formatResources(setAside)} set aside, is offered ${formatResources(offered)}`;
    return [violation("limit-exceeded", role.role, detail)];
  };
  return [
    ...scalars.flatMap(([name, key]) => above(name, limit[key], held[key], offered[key])),
    ...Object.keys(limit.custom).flatMap((name) =>
      above(name, limit.custom[name] ?? 0, held.custom[name] ?? 0, offered.custom[name] ?? 0),
    ),
  ];
}

function plus(sum: Resources, offer: OfferRecord): Resources {
  const reserved = offer.reserved.reduce((all, part) => addResources(all, part.resources ?? noResources), noResources);
  return addResources(sum, subtractResources(offer.resources ?? noResources, reserved));
}

/**
 * What is free is enough for every guarantee that is not kept. To be asked when all agents have been there for a while:
 * one that is lost takes what was kept with it.
 */
export function guaranteesCanBeKept({ roles, agents }: MasterView): Violation[] {
  let free = noResources;
  for (const { total, allocated, offered, setAside } of agents) {
    const given = addResources(allocated ?? noResources, offered ?? noResources);
    const used = addResources(given, setAside ?? noResources);
    free = addResources(free, subtractResources(total ?? noResources, used));
  }
  const lacking = (key: keyof Omit<Resources, "custom">): number => {
    let need = 0;
    for (const { role, guarantee, allocated, offered, setAside } of roles)
      if (!role.includes("/") && guarantee !== null)
        need += Math.max(0, guarantee[key] - (allocated?.[key] ?? 0) - (offered?.[key] ?? 0) - (setAside?.[key] ?? 0));
    return need - free[key];
  };
  return scalars
    .filter(([, key]) => lacking(key) > 0)
    .map(([name, key]) =>
      violation("guarantee-at-risk", name, `free is less by ${lacking(key)} than what is promised`),
    );
}

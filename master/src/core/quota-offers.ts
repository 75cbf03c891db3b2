import { addResources, noResources, type Resources, subtractResources } from "@muster/foundation";
import { firstAbove, largerOf, overlaps } from "../allocator/bound.ts";
import { isWithin } from "../allocator/role.ts";
import type { Core } from "./core.ts";
import type { Agent, Offer, Role } from "./model.ts";
import { rescindOffer } from "./offers.ts";
import { plainOf } from "./set-aside/shares.ts";

/** The newest offers of a role and those below it without which its limit is kept, as far as offers can. O(offers). */
export function offersAbove(core: Core, roleName: string): Offer[] {
  const { allocator, offers } = core.state;
  const role = allocator.roles.get(roleName);
  const limit = role?.quota?.limit;
  if (role === undefined || limit === undefined) return [];
  const ended: Offer[] = [];
  let held: Resources = role.held;
  if (firstAbove(held, limit) === undefined) return ended;
  for (const offer of [...offers.values()].reverse()) {
    if (!isWithin(offer.member.role, role)) continue;
    ended.push(offer);
    held = subtractResources(held, plainOf(offer));
    if (firstAbove(held, limit) === undefined) break;
  }
  return ended;
}

/** The newest offers of roles without a guarantee that hold what guarantees of others lack. O(offers). */
export function offersInTheWay(core: Core): Offer[] {
  const { allocator, offers } = core.state;
  allocator.settle();
  const ended: Offer[] = [];
  let available = largerOf(allocator.available, noResources);
  const lacking = () => largerOf(subtractResources(allocator.root.needBelow, available), noResources);
  for (const offer of [...offers.values()].reverse()) {
    const { role } = offer.member;
    const plain = plainOf(offer);
    if (role.isPromised || !overlaps(lacking(), plain)) continue;
    ended.push(offer);
    available = addResources(available, plain);
  }
  return ended;
}

/** An agent's tasks have been told: what roles are offered elsewhere may be too much now. O(tasks + offers). */
export function keepLimits(core: Core, agent: Agent): void {
  const { allocator } = core.state;
  if (!allocator.hasQuota) return;
  allocator.settle();
  const roles = new Set<Role>();
  for (const task of agent.tasks)
    for (let role: Role | undefined = task.group.member.role; role !== undefined; role = role.parent)
      if (role.quota) roles.add(role);
  for (const role of roles)
    for (const offer of offersAbove(core, role.name))
      rescindOffer(core, offer, "an agent is back, and its tasks use what the role may have");
}

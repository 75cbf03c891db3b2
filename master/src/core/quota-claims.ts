import type { ErrorKind, Resources } from "@muster/foundation";
import { firstAbove } from "../allocator/bound.ts";
import type { Core } from "./core.ts";
import type { Member, Offer } from "./model.ts";
import type { Hold } from "./preemption/model.ts";
import { plainOf } from "./set-aside/shares.ts";

interface QuotaFault {
  readonly kind: ErrorKind;
  readonly message: string;
}

/**
 * Why quota forbids to take so much for each of these members if these offers end: a limit would be exceeded, or what is
 * kept for a guarantee taken. It is tried on the allocator and taken back. O((members + offers) x depth).
 */
export function quotaFaultOf(
  core: Core,
  needs: ReadonlyMap<Member, Resources>,
  ended: ReadonlySet<Offer | Hold>,
): QuotaFault | undefined {
  const { allocator, awaited } = core.state;
  if (!allocator.hasQuota) return undefined;
  const { isLoosened } = allocator;
  for (const offer of ended) allocator.release(offer.member, plainOf(offer), offer.agent.counted);
  const held: [Member, Resources][] = [];
  let fault: QuotaFault | undefined;
  for (const [member, need] of needs) {
    const { role } = member;
    const bound = allocator.allowance(role);
    const name = bound && firstAbove(need, bound);
    if (role.isLimited && awaited.size > 0)
      fault = { kind: "unavailable", message: `what ${role.name} uses is not known before all agents are back` };
    else if (name !== undefined) {
      const isLimit = firstAbove(need, allocator.room(role)) !== undefined;
      const message = isLimit
        ? `the limit of ${role.name}, or of a role above it, leaves not enough ${name}`
        : `what is free is kept for guarantees of other roles: there is not enough ${name} besides`;
      fault = { kind: "over-quota", message };
    }
    if (fault) break;
    allocator.hold(member, need, true);
    held.push([member, need]);
  }
  for (const [member, need] of held) allocator.release(member, need, true);
  for (const offer of ended) allocator.hold(offer.member, plainOf(offer), offer.agent.counted);
  allocator.isLoosened = isLoosened;
  return fault;
}

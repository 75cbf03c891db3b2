/**
 * Which agent has which subnet of an overlay network; a subnet is a number from 0 to `count` - 1. Touched by the functions
 * of this file alone.
 */
export interface Leases {
  readonly count: number;
  /** Held, and given back but not given to another since. */
  readonly byIndex: Map<number, Lease>;
  /** The latest of each agent. */
  readonly byAgent: Map<string, Lease>;
  /** Those that were given back, the one that has been free for longest first. */
  readonly released: Set<Lease>;
  /** Numbers from here on were never given. */
  next: number;
}

/** Addresses of an agent's host that other hosts send to. */
export interface UnderlayIps {
  readonly ip: string;
  /** For packets of IPv6 without a tunnel; may be empty. */
  readonly ip6: string;
}

export interface Lease {
  readonly index: number;
  readonly agentId: string;
  underlay: UnderlayIps;
  /** Milliseconds since the epoch; 0 while the agent has it. */
  releasedAt: number;
  /** The store has it as it is: others may be told. */
  durable: boolean;
  /** Counts its changes, so that an older write does not vouch for a newer one. */
  changes: number;
  /** Which subnets its number stands for: worked out at first use, for it stays the same. */
  subnets?: { readonly subnet: string; readonly subnet6: string };
}

export function createLeases(count: number): Leases {
  return { count, byIndex: new Map(), byAgent: new Map(), released: new Set(), next: 0 };
}

/** What the store has. To be called in order of the times at which subnets were given back. */
export function restoreLease(leases: Leases, lease: Lease): void {
  if (lease.index >= leases.count || leases.byIndex.has(lease.index)) return;
  const other = leases.byAgent.get(lease.agentId);
  if (other !== undefined && other.releasedAt === 0) return;
  leases.byIndex.set(lease.index, lease);
  leases.byAgent.set(lease.agentId, lease);
  if (lease.releasedAt > 0) leases.released.add(lease);
}

/**
 * Gives an agent a subnet: the one that it had, else one that nobody had, else the one that has been free for longest, if
 * that is `reuseAfterMs` or more: peers may still send to its former holder. Undefined: there is none. O(1), but for
 * numbers that the store had.
 */
export function takeLease(
  leases: Leases,
  agentId: string,
  underlay: UnderlayIps,
  epochMs: number,
  reuseAfterMs: number,
): Lease | undefined {
  const own = leases.byAgent.get(agentId);
  if (own !== undefined) {
    leases.released.delete(own);
    own.releasedAt = 0;
    own.underlay = underlay;
    own.durable = false;
    own.changes++;
    return own;
  }
  while (leases.next < leases.count && leases.byIndex.has(leases.next)) leases.next++;
  if (leases.next < leases.count) return hold(leases, leases.next++, agentId, underlay);
  const [oldest] = leases.released;
  if (oldest === undefined || oldest.releasedAt + reuseAfterMs > epochMs) return undefined;
  leases.released.delete(oldest);
  leases.byAgent.delete(oldest.agentId);
  return hold(leases, oldest.index, agentId, underlay);
}

/** Gives a subnet back. Its number stays its agent's until another needs it. Doing it twice changes nothing. */
export function releaseLease(leases: Leases, agentId: string, epochMs: number): Lease | undefined {
  const lease = leases.byAgent.get(agentId);
  if (lease === undefined || lease.releasedAt > 0) return undefined;
  lease.releasedAt = Math.max(1, epochMs);
  lease.changes++;
  leases.released.add(lease);
  return lease;
}

/** The subnet that an agent has; undefined: none. */
export function heldLease(leases: Leases, agentId: string): Lease | undefined {
  const lease = leases.byAgent.get(agentId);
  return lease?.releasedAt === 0 ? lease : undefined;
}

function hold(leases: Leases, index: number, agentId: string, underlay: UnderlayIps): Lease {
  const lease: Lease = { index, agentId, underlay, releasedAt: 0, durable: false, changes: 0 };
  leases.byIndex.set(index, lease);
  leases.byAgent.set(agentId, lease);
  return lease;
}

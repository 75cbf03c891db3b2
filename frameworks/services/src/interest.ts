import {
  type Cancel,
  type Clock,
  DemandTeller,
  fit,
  type Neighbours,
  noNeighbours,
  pinnedTo,
  resources,
  type Scheduler,
  type Waits,
} from "@muster/framework-sdk";
import { agentsOf, pinnedNeed } from "./core/launching.ts";
import { type ReleasedVolume, slotKey, type Want } from "./core/model.ts";
import { rooms, type Surroundings } from "./core/report.ts";
import { leftOfReleased } from "./core/volumes.ts";

/** A role asks anew for what it has refused at most so often: each time makes the master look at every agent. */
const reviveIntervalMs = 1_000;
/** Where nothing more waits an agent comes back after so long for each that there is, and after `notNeededMsMax` at most. */
const notNeededMsPerAgent = 1;
const notNeededMsMax = 5_000;

/**
 * For how long an offer is returned of a role of which nothing waits: what is wanted next need not ask for it anew. In a
 * cluster of any size this leaves a thousand offers a second.
 */
export function notNeededMs(agentCount: number): number {
  return Math.min(notNeededMsMax, agentCount * notNeededMsPerAgent);
}

/** What each role wants. A role asks anew for what it has refused whenever it wants more. */
export class RoleInterest {
  readonly #scheduler: Scheduler;
  readonly #roles: readonly string[];
  readonly #teller: DemandTeller;
  readonly #clock: Clock;
  #seen = new Set<string>();
  /** When each role asked last. */
  readonly #revivedAtMs = new Map<string, number>();
  /** Roles that are to ask as soon as they may. */
  readonly #toRevive = new Set<string>();
  #timer: Cancel | undefined;

  /** `again` makes `settle` be called again. */
  constructor(scheduler: Scheduler, roles: readonly string[], clock: Clock, again: () => void) {
    this.#scheduler = scheduler;
    this.#roles = roles;
    this.#clock = clock;
    this.#teller = new DemandTeller(scheduler, clock, again);
  }

  /**
   * Tells the master what has changed since the last call: what is wanted, and where volumes are to be removed.
   * O(wants + released), and O(agents) for what has waited for long.
   */
  settle(wants: readonly Want[], released: Iterable<ReleasedVolume>, around: Surroundings): void {
    const fresh = new Set<string>();
    const seen = new Set<string>();
    for (const { entry, version, group, slot, role } of wants) {
      const key = `${entry.name}/${version.record.version}/${slotKey(group.name, slot.index)}`;
      seen.add(key);
      if (!this.#seen.has(key)) fresh.add(role);
    }
    const removals = removalWaits(released, around);
    for (const { key, role } of removals) {
      seen.add(key);
      if (!this.#seen.has(key)) fresh.add(role);
    }
    this.#seen = seen;
    const wanted = new Set([...wants, ...removals].map(({ role }) => role));
    for (const role of this.#toRevive) if (!wanted.has(role)) this.#toRevive.delete(role);
    const waiting = wants.map((want) => ({
      role: want.role,
      key: groupKey(want),
      need: pinnedNeed(want),
      priority: want.version.job.priority,
      neighbours: () => neighboursOf(want),
    }));
    this.#teller.tell(this.#roles, [...waiting, ...removals], () => rooms(around.agents));
    this.#revive(fresh);
  }

  stop(): void {
    this.#teller.stop();
    this.#timer?.();
    this.#timer = undefined;
  }

  #revive(roles: Iterable<string>): void {
    for (const role of roles) this.#toRevive.add(role);
    const nowMs = this.#clock.monotonicMs();
    let nextMs = Number.POSITIVE_INFINITY;
    for (const role of this.#toRevive) {
      const atMs = (this.#revivedAtMs.get(role) ?? Number.NEGATIVE_INFINITY) + reviveIntervalMs;
      if (atMs > nowMs) {
        nextMs = Math.min(nextMs, atMs);
        continue;
      }
      this.#toRevive.delete(role);
      this.#revivedAtMs.set(role, nowMs);
      this.#scheduler.revive([role]);
    }
    if (nextMs < Number.POSITIVE_INFINITY)
      this.#timer ??= this.#clock.after(nextMs - nowMs, () => {
        this.#timer = undefined;
        this.#revive([]);
      });
  }

  /** Refused agents are not offered again for up to two minutes: what fits there now should not wait so long. */
  roomChanged(wants: readonly Want[], around: Surroundings): void {
    if (wants.every(({ role }) => this.#toRevive.has(role))) return;
    const open = rooms(around.agents).map((room) => ({
      ...room,
      available: around.agents.get(room.agentId)?.free ?? room.available,
    }));
    const roles = new Set<string>();
    for (const want of wants) {
      if (roles.has(want.role) || this.#toRevive.has(want.role)) continue;
      const need = pinnedNeed(want);
      if (open.some((room) => fit(need, room).fits)) roles.add(want.role);
    }
    this.#revive(roles);
  }
}

/** What of an agent must be offered so that a volume can be removed there, and then what it lay in. */
function removalWaits(released: Iterable<ReleasedVolume>, { agents }: Surroundings): Waits[] {
  const waits: Waits[] = [];
  for (const one of released) {
    const { agentId, role, volumeId } = one.record;
    const left = leftOfReleased(one, agents);
    if (left === undefined) continue;
    const some = { resources: resources({ diskMiB: 1 }), dynamicPortCount: 0, staticPorts: [], constraints: [] };
    const need = pinnedTo(some, agentId);
    waits.push({ role, key: `remove-${left}/${volumeId}`, need, priority: 1 });
  }
  return waits;
}

/** Instances of system jobs belong to one agent each, and so differ in where room could be made. */
function groupKey({ entry, version, group, slot }: Want): string {
  const key = `${entry.name}/${version.record.version}/${group.name}`;
  return slot.agentId === undefined ? key : `${key}@${slot.agentId}`;
}

/** Those that count for `distinct_hosts`. */
function neighboursOf(want: Want): Neighbours {
  const counts = new Map<string, number>();
  for (const agentId of agentsOf(want)) counts.set(agentId, (counts.get(agentId) ?? 0) + 1);
  return { ...noNeighbours, countOn: (agentId) => counts.get(agentId) ?? 0 };
}

import { type Clock, DemandTeller, fit, type Neighbours, noNeighbours, type Scheduler } from "@muster/framework-sdk";
import { agentsOf, pinnedNeed } from "./core/launching.ts";
import { type Now, slotKey, type Want } from "./core/model.ts";
import { rooms, type Surroundings } from "./core/report.ts";

/** Room that has become free makes a role ask anew, at most so often. */
const roomIntervalMs = 1_000;

/** What each role wants. A role asks anew for what it has refused whenever it wants more. */
export class RoleInterest {
  readonly #scheduler: Scheduler;
  readonly #roles: readonly string[];
  readonly #teller: DemandTeller;
  #seen = new Set<string>();
  #roomAtMs = Number.NEGATIVE_INFINITY;

  /** `again` makes `settle` be called again. */
  constructor(scheduler: Scheduler, roles: readonly string[], clock: Clock, again: () => void) {
    this.#scheduler = scheduler;
    this.#roles = roles;
    this.#teller = new DemandTeller(scheduler, clock, again);
  }

  /** Tells the master what has changed since the last call. O(wants), and O(agents) for what has waited for long. */
  settle(wants: readonly Want[], around: Surroundings): void {
    const fresh = new Set<string>();
    const seen = new Set<string>();
    for (const { entry, version, group, slot, role } of wants) {
      const key = `${entry.name}/${version.record.version}/${slotKey(group.name, slot.index)}`;
      seen.add(key);
      if (!this.#seen.has(key)) fresh.add(role);
    }
    this.#seen = seen;
    const waiting = wants.map((want) => ({
      role: want.role,
      key: groupKey(want),
      need: pinnedNeed(want),
      priority: want.version.job.priority,
      neighbours: () => neighboursOf(want),
    }));
    this.#teller.tell(this.#roles, waiting, () => rooms(around.agents));
    if (fresh.size > 0) this.#scheduler.revive([...fresh]);
  }

  stop(): void {
    this.#teller.stop();
  }

  /** Refused agents are not offered again for up to two minutes: what fits there now should not wait so long. */
  roomChanged(wants: readonly Want[], around: Surroundings, now: Now): void {
    if (now.monotonicMs - this.#roomAtMs < roomIntervalMs) return;
    const open = rooms(around.agents).map((room) => ({
      ...room,
      available: around.agents.get(room.agentId)?.free ?? room.available,
    }));
    const roles = new Set<string>();
    for (const want of wants) {
      if (roles.has(want.role)) continue;
      const need = pinnedNeed(want);
      if (open.some((room) => fit(need, room).fits)) roles.add(want.role);
    }
    if (roles.size === 0) return;
    this.#roomAtMs = now.monotonicMs;
    this.#scheduler.revive([...roles]);
  }
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

import { fit, type Scheduler } from "@muster/framework-sdk";
import { pinnedNeed } from "./core/launching.ts";
import { type Now, slotKey, type Want } from "./core/model.ts";
import { rooms, type Surroundings } from "./core/report.ts";

/** Room that has become free makes a role ask anew, at most so often. */
const roomIntervalMs = 1_000;

/** Which roles want offers: those with instances that wait for an agent. A role asks anew whenever it wants more. */
export class RoleInterest {
  readonly #scheduler: Scheduler;
  readonly #roles: readonly string[];
  #seen = new Set<string>();
  #roomAtMs = Number.NEGATIVE_INFINITY;

  constructor(scheduler: Scheduler, roles: readonly string[]) {
    this.#scheduler = scheduler;
    this.#roles = roles;
  }

  /** Tells the master what has changed since the last call. O(wants). */
  settle(wants: readonly Want[]): void {
    const wanting = new Set<string>();
    const fresh = new Set<string>();
    const seen = new Set<string>();
    for (const { entry, version, group, slot, role } of wants) {
      const key = `${entry.name}/${version.record.version}/${slotKey(group.name, slot.index)}`;
      wanting.add(role);
      seen.add(key);
      if (!this.#seen.has(key)) fresh.add(role);
    }
    this.#seen = seen;
    if (fresh.size > 0) this.#scheduler.revive([...fresh]);
    const idle = this.#roles.filter((role) => !wanting.has(role));
    if (idle.length > 0) this.#scheduler.suppress(idle);
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

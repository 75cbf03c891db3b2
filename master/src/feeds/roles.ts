import type { EventChange } from "../core/effects.ts";
import type { Framework, MasterState, Role } from "../core/model.ts";
import { roleRecord } from "../core/records.ts";

/** Tells of roles whose frameworks, and so whose figures, have changed, and of those that are no more. */
export class RoleNews {
  readonly #told = new Set<string>();

  /** O(roles of the frameworks, with those above them + roles told of). */
  *of(state: MasterState, frameworks: Iterable<Framework>): Generator<EventChange> {
    const { allocator } = state;
    allocator.settle();
    const changed = new Set<Role>();
    for (const { members } of frameworks)
      for (const { role } of members.values())
        for (let each: Role | undefined = role; each?.parent !== undefined; each = each.parent) changed.add(each);
    for (const name of state.changedRoles) {
      const role = allocator.roles.get(name);
      if (role) changed.add(role);
      // Of one that was never told of the end is told all the same: it may stand in a snapshot.
      else this.#told.add(name);
    }
    state.changedRoles.clear();
    for (const role of changed) {
      if (allocator.roles.get(role.name) !== role) continue;
      this.#told.add(role.name);
      yield { role: roleRecord(role) };
    }
    for (const name of this.#told)
      if (!allocator.roles.has(name)) {
        this.#told.delete(name);
        yield { roleRemoved: name };
      }
  }
}

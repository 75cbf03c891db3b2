import { noResources } from "@muster/foundation";
import type { Demand } from "@muster/proto";
import type { DemandedShape } from "./types.ts";

/** What has been said to be wanted, by role: a new session is told it again. */
export class Demands {
  readonly #byRole = new Map<string, Map<string, Demand>>();

  /** What the master is to be told so that it knows just this of the role: demands that are no more are told with 0. */
  say(role: string, shapes: readonly DemandedShape[]): Demand[] {
    const before = this.#byRole.get(role) ?? new Map<string, Demand>();
    const now = new Map<string, Demand>();
    for (const [index, { id = String(index), ...shape }] of shapes.entries()) now.set(id, demandOf(role, id, shape));
    this.#byRole.set(role, now);
    const over = [...before.keys()].filter((id) => !now.has(id)).map((id) => nothingOf(role, id));
    const changes = [...over, ...now.values()];
    return changes.length > 0 ? changes : [nothingOf(role, "")];
  }

  /** The role wants nothing any more, and says so otherwise. */
  forget(role: string): void {
    this.#byRole.delete(role);
  }

  /** Everything, for a session that has been told nothing yet. */
  all(): Demand[] {
    return [...this.#byRole].flatMap(([role, demands]) =>
      demands.size > 0 ? [...demands.values()] : [nothingOf(role, "")],
    );
  }

  /** Of these roles those of which something has been said. */
  roles(roles: readonly string[]): string[] {
    return roles.filter((role) => this.#byRole.has(role));
  }
}

function demandOf(role: string, demandId: string, shape: DemandedShape): Demand {
  const { count, resources, constraints = [], priority, isWhole = false, agentIds = [], isPatient = false } = shape;
  return {
    ...{ role, count, resources, constraints: [...constraints], demandId, agentIds: [...agentIds] },
    ...(priority === undefined ? {} : { priority }),
    ...(isWhole ? { isWhole } : {}),
    ...(isPatient ? { isPatient } : {}),
  };
}

function nothingOf(role: string, demandId: string): Demand {
  return { role, count: 0, resources: noResources, constraints: [], agentIds: [], demandId };
}

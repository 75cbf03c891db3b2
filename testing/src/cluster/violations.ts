import type { Violation } from "@muster/master";
import type { World } from "../world/world.ts";

/** A violation with its moment. */
export interface DatedViolation extends Violation {
  /** Milliseconds since the world began. */
  readonly atMs: number;
}

/** More than this of one run says nothing new. */
const violationsMax = 50;

/** What was found in one run, each kind of thing about each subject once. */
export class Violations {
  readonly #world: World;
  readonly #seen = new Set<string>();
  readonly #found: DatedViolation[] = [];

  constructor(world: World) {
    this.#world = world;
  }

  get all(): readonly DatedViolation[] {
    return this.#found;
  }

  add(violations: readonly Violation[]): void {
    for (const violation of violations) {
      const key = `${violation.rule} ${violation.subject}`;
      if (this.#seen.has(key) || this.#found.length >= violationsMax) continue;
      this.#seen.add(key);
      this.#found.push({ ...violation, atMs: this.#world.nowMs });
    }
  }
}

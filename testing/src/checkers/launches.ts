import { type Violation, violation } from "@muster/master";

/** A command that an agent's host has started, with the ids that it was started for. */
export interface Start {
  readonly host: string;
  readonly taskId: string;
  readonly launchId: string;
  /** How often the agent had started it before. */
  readonly attempt: number;
}

/** Reads every start of a command: one launch starts each attempt of a task at most once, and a task lives at most once. */
export class LaunchWatch {
  readonly #started = new Map<string, Start>();

  started(start: Start, aliveElsewhere: readonly Start[]): Violation[] {
    const violations: Violation[] = [];
    const key = `${start.launchId}/${start.taskId}`;
    const before = this.#started.get(key);
    if (before !== undefined && (start.host !== before.host || start.attempt <= before.attempt))
      violations.push(
        violation(
          "double-launch",
          start.taskId,
          `attempt ${start.attempt} of launch ${start.launchId} started on ${before.host} and ${start.host}`,
        ),
      );
    this.#started.set(key, start);
    for (const other of aliveElsewhere)
      if (other.taskId === start.taskId)
        violations.push(
          violation(
            "two-processes",
            start.taskId,
            `alive on ${other.host} (${other.launchId}) and ${start.host} (${start.launchId})`,
          ),
        );
    return violations;
  }
}

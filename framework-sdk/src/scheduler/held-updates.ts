import type { TaskStatus } from "@muster/proto";

/**
 * Updates whose handler has not made them durable yet. The same news may come several times meanwhile: as the answer to
 * a question, which needs no acknowledgement, and as the agent's own update, which does. None of them is acknowledged
 * before the first one is durable.
 */
export class HeldUpdates {
  readonly #held = new Map<string, Map<string, TaskStatus>>();

  /** The handler will say when this is durable. */
  hold(status: TaskStatus): void {
    const known = this.#held.get(keyOf(status));
    const repetitions = known ?? new Map<string, TaskStatus>();
    if (status.updateId !== "") repetitions.set(status.updateId, status);
    if (known === undefined) this.#held.set(keyOf(status), repetitions);
  }

  /** True if these news wait to be made durable: then their acknowledgement waits with them. O(1). */
  addRepetition(status: TaskStatus): boolean {
    if (this.#held.size === 0) return false;
    const repetitions = this.#held.get(keyOf(status));
    if (repetitions !== undefined && status.updateId !== "") repetitions.set(status.updateId, status);
    return repetitions !== undefined;
  }

  /** It is durable: gives the updates that may now be acknowledged. */
  release(status: TaskStatus): Iterable<TaskStatus> {
    const repetitions = this.#held.get(keyOf(status));
    this.#held.delete(keyOf(status));
    return repetitions?.values() ?? [];
  }
}

function keyOf({ taskId, launchId, state, health }: TaskStatus): string {
  return `${taskId}/${launchId}/${state}/${health}`;
}

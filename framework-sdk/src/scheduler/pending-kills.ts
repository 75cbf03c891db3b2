import type { Kill } from "@muster/proto";

/** Kills that a master could not judge yet, since the task's agent is not back, are told again after so long. */
export const killAgainMs = 1_000;

/** Ends of tasks that are wanted and have not come: a master that has just begun does not know of them. */
export class PendingKills {
  readonly #kills = new Map<string, Kill>();
  /** Tasks whose kill this session's master could not judge. */
  readonly #inDoubt = new Set<string>();

  get isEmpty(): boolean {
    return this.#kills.size === 0;
  }

  want(kill: Kill): void {
    this.#kills.set(kill.taskId, kill);
  }

  /** The task has ended. */
  ended(taskId: string): void {
    this.#kills.delete(taskId);
  }

  all(): Iterable<Kill> {
    return this.#kills.values();
  }

  /** A new connection: all of them are told anew. */
  reconnected(): void {
    this.#inDoubt.clear();
  }

  /** The master can't judge it yet. True if it is the first: then all of them are to be told again after `killAgainMs`. */
  doubted(taskId: string): boolean {
    if (!this.#kills.has(taskId)) return false;
    const isFirst = this.#inDoubt.size === 0;
    this.#inDoubt.add(taskId);
    return isFirst;
  }

  /** What is to be told again. */
  takeDoubted(): readonly Kill[] {
    const kills = [...this.#inDoubt].flatMap((taskId) => this.#kills.get(taskId) ?? []);
    this.#inDoubt.clear();
    return kills;
  }
}

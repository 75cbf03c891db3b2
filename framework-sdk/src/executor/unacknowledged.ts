import { TaskState, type TaskStatus } from "@muster/proto";

/** Updates of one task that are kept; beyond, the oldest that say only that it runs are left out. */
export const updatesPerTaskMax = 64;

/** Updates that no agent has confirmed, oldest first. */
export class Unacknowledged {
  readonly #statuses = new Map<string, TaskStatus>();
  readonly #counts = new Map<string, number>();

  get size(): number {
    return this.#statuses.size;
  }

  add(status: TaskStatus): void {
    const count = this.#counts.get(status.taskId) ?? 0;
    if (count >= updatesPerTaskMax) this.#dropOneOf(status.taskId);
    this.#statuses.set(status.updateId, status);
    this.#counts.set(status.taskId, (this.#counts.get(status.taskId) ?? 0) + 1);
  }

  /** It is confirmed, or refused for good. Gives the task that it was of. */
  remove(updateId: string): string | undefined {
    const status = this.#statuses.get(updateId);
    if (!status) return undefined;
    this.#statuses.delete(updateId);
    const count = (this.#counts.get(status.taskId) ?? 1) - 1;
    if (count > 0) this.#counts.set(status.taskId, count);
    else this.#counts.delete(status.taskId);
    return status.taskId;
  }

  has(taskId: string): boolean {
    return this.#counts.has(taskId);
  }

  all(): TaskStatus[] {
    return [...this.#statuses.values()];
  }

  #dropOneOf(taskId: string): void {
    for (const [updateId, status] of this.#statuses)
      if (status.taskId === taskId && status.state === TaskState.TASK_RUNNING) {
        this.remove(updateId);
        return;
      }
  }
}

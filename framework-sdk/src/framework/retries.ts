import type { Cancel, Clock } from "@muster/foundation";
import { TaskState } from "@muster/proto";
import type { FrameworkTask } from "./define.ts";
import { backoff, type TaskTemplate } from "./tasks.ts";

/** Templates whose failures are remembered. */
const templatesMax = 10_000;

/** Keeps tasks that fail from being started again at once. */
export class Retries {
  readonly #clock: Clock;
  readonly #wake: () => void;
  readonly #failures = new Map<string, { count: number; atMs: number }>();
  #cancel: Cancel | undefined;

  constructor(clock: Clock, wake: () => void) {
    this.#clock = clock;
    this.#wake = wake;
  }

  /** A task has ended: failed ones count, one that has finished makes amends. */
  ended(task: FrameworkTask): void {
    const key = keyOf(task.name, task.agentId);
    if (task.state === TaskState.TASK_FINISHED) this.#failures.delete(key);
    if (task.state !== TaskState.TASK_FAILED && task.state !== TaskState.TASK_ERROR) return;
    const count = (this.#failures.get(key)?.count ?? 0) + 1;
    this.#failures.set(key, { count, atMs: this.#clock.monotonicMs() });
    if (this.#failures.size <= templatesMax) return;
    for (const oldest of this.#failures.keys()) {
      this.#failures.delete(oldest);
      break;
    }
  }

  /** Whether it is time to try; if not, `wake` is called when it is. */
  mayTry(template: TaskTemplate): boolean {
    const { firstMs, maxMs } = template.restart ?? backoff();
    const nowMs = this.#clock.monotonicMs();
    let atMs = 0;
    for (const [key, failure] of this.#failures) {
      const isSame =
        template.agentId === undefined
          ? key.startsWith(`${template.name} `)
          : key === keyOf(template.name, template.agentId);
      if (isSame) atMs = Math.max(atMs, failure.atMs + Math.min(firstMs * 2 ** Math.min(failure.count - 1, 30), maxMs));
    }
    if (atMs <= nowMs) return true;
    this.#cancel?.();
    this.#cancel = this.#clock.after(atMs - nowMs, this.#wake);
    return false;
  }

  stop(): void {
    this.#cancel?.();
  }
}

function keyOf(name: string, agentId: string): string {
  return `${name} ${agentId}`;
}

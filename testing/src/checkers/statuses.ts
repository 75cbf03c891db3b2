import { isTerminal, taskStateName } from "@muster/foundation";
import { type Violation, violation } from "@muster/master";
import { StatusReason, TaskState, type TaskStatus } from "@muster/proto";

interface Seen {
  readonly end: TaskStatus | undefined;
  readonly sequence: number;
}

/**
 * Reads what frameworks are told, in the order in which they are told it. A task ends in exactly one terminal state,
 * and never lives again; the same end may be told often.
 */
export class StatusWatch {
  readonly #seen = new Map<string, Seen>();
  readonly #ended = new Set<string>();

  /** Whether a framework was told the end of a task of that id. */
  hasEnded(taskId: string): boolean {
    return this.#ended.has(taskId);
  }

  /** How a task ended, if its framework was told. */
  endOf(frameworkId: string, taskId: string): TaskStatus | undefined {
    return this.#seen.get(`${frameworkId}/${taskId}`)?.end;
  }

  /** A status has arrived at its framework. */
  delivered(status: TaskStatus): Violation[] {
    const key = `${status.frameworkId}/${status.taskId}`;
    const before = this.#seen.get(key);
    const isEnd = isTerminal(status.state);
    if (isEnd) this.#ended.add(status.taskId);
    this.#seen.set(key, {
      // An answer has no number: the agent's own word on the end, which has, says more.
      end: before?.end !== undefined && (before.end.sequence > 0 || !isEnd) ? before.end : isEnd ? status : undefined,
      sequence: Math.max(before?.sequence ?? 0, status.sequence),
    });
    // Simulated commands keep to their ports.
    if (status.reason === StatusReason.REASON_PORT_NOT_ALLOCATED)
      return [violation("wrongly-judged", key, status.message)];
    const end = before?.end;
    if (end === undefined || end.launchId !== status.launchId) return [];
    const told = `${taskStateName(end.state)} (${end.message}), then ${taskStateName(status.state)} (${status.message})`;
    if (isEnd && status.state !== end.state) return [violation("two-ends", key, told)];
    // News that are older than the end may still come, when a connection broke and its last message was sent again.
    const isNewer = end.sequence > 0 && status.sequence > end.sequence;
    const livesAgain = !isEnd && status.state !== TaskState.TASK_UNKNOWN && isNewer;
    return livesAgain ? [violation("lives-again", key, told)] : [];
  }
}

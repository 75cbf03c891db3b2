import { isTerminal } from "@muster/foundation";
import { Health, TaskState, type TaskStatus } from "@muster/proto";

/** At least so many ended tasks are remembered, twice as many at most, so that a status that is sent again is known. */
export const endedTasksMax = 10_000;

/** What is known of one task. */
interface Entry {
  agentId: string;
  launchId: string;
  sequence: number;
  state: TaskState;
  health: Health;
}

/** What a status is to its framework: to be handed on, or known already. */
export type StatusVerdict = "news" | "known";

/**
 * What the SDK remembers of a framework's tasks: enough to tell news from repetitions, and to ask about each of them
 * after a reconnection. O(1) and no allocation for a status of a known task.
 */
export class TaskLedger {
  readonly #live = new Map<string, Entry>();
  /** Launches of ended tasks, in two generations: the older is dropped whole, since a Map is a slow queue. */
  #ended = new Map<string, string>();
  #endedBefore = new Map<string, string>();

  /** A launch is on its way. */
  launched(taskId: string, launchId: string, agentId: string): void {
    this.#forgetEnd(taskId);
    this.#live.set(taskId, {
      agentId,
      launchId,
      sequence: 0,
      state: TaskState.TASK_STAGING,
      health: Health.HEALTH_UNSPECIFIED,
    });
  }

  /** A launch that was on its way has not been made: nothing will be told of it. */
  notLaunched(taskId: string, launchId: string): void {
    const entry = this.#live.get(taskId);
    if (entry?.launchId === launchId && entry.sequence === 0) this.#live.delete(taskId);
  }

  judge(status: TaskStatus): StatusVerdict {
    const { taskId, launchId, sequence, state, health } = status;
    const entry = this.#live.get(taskId);
    if (entry === undefined) {
      // An answer about a task that nobody knows carries no launch: of an ended task it says nothing new.
      const endedLaunch = this.#ended.get(taskId) ?? this.#endedBefore.get(taskId);
      if (endedLaunch !== undefined && (launchId === "" || launchId === endedLaunch)) return "known";
      this.#keep(status, { agentId: status.agentId, launchId, sequence, state, health });
      return "news";
    }
    const isSameLaunch = launchId === "" || entry.launchId === "" || launchId === entry.launchId;
    if (isSameLaunch) {
      if (sequence > 0 && sequence <= entry.sequence) return "known";
      // Answers to questions have no number: they are news only if they say something new.
      if (sequence === 0 && state === entry.state && health === entry.health) return "known";
    }
    if (sequence > 0 || !isSameLaunch) entry.sequence = sequence;
    if (launchId !== "") entry.launchId = launchId;
    if (status.agentId !== "") entry.agentId = status.agentId;
    entry.state = state;
    entry.health = health;
    this.#keep(status, entry);
    return "news";
  }

  agentOf(taskId: string): string {
    return this.#live.get(taskId)?.agentId ?? "";
  }

  isLive(taskId: string): boolean {
    return this.#live.has(taskId);
  }

  /** How many tasks have not ended. */
  get liveCount(): number {
    return this.#live.size;
  }

  /** Calls back for each task that has not ended; `isUnseen`: no agent ever told of it, and its own does not answer. */
  forEachLive(visit: (taskId: string, agentId: string, isUnseen: boolean) => void): void {
    for (const [taskId, entry] of this.#live) visit(taskId, entry.agentId, isUnseen(entry));
  }

  /** O(tasks that have not ended). */
  get hasUnseen(): boolean {
    for (const entry of this.#live.values()) if (isUnseen(entry)) return true;
    return false;
  }

  #keep(status: TaskStatus, entry: Entry): void {
    const { taskId, state } = status;
    if (!isTerminal(state) && state !== TaskState.TASK_UNKNOWN) {
      this.#live.set(taskId, entry);
      return;
    }
    this.#live.delete(taskId);
    this.#ended.set(taskId, entry.launchId);
    if (this.#ended.size < endedTasksMax) return;
    this.#endedBefore = this.#ended;
    this.#ended = new Map();
  }

  #forgetEnd(taskId: string): void {
    this.#ended.delete(taskId);
    this.#endedBefore.delete(taskId);
  }
}

function isUnseen({ sequence, state }: Entry): boolean {
  return sequence === 0 && state === TaskState.TASK_UNREACHABLE;
}

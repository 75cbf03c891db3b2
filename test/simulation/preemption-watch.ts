import { StatusReason, TaskState } from "@muster/proto";
import { type SchedulingMessage, type Violation, violation } from "@muster/testing";
import type { ImportantTasks } from "./important-tasks.ts";

/** What is missing counts for at most five minutes; a little less is sure. */
const missingMs = 290_000;

/** Reads what frameworks are told of preemption: nobody gives way but for a demand, and no more than budgets allow. */
export class PreemptionWatch {
  readonly #programs: readonly ImportantTasks[];
  readonly #settledMs: number;
  readonly #demanding = new Set<string>();
  readonly #preempted = new Map<string, number>();
  readonly #seen = new Set<string>();
  readonly #missing = new Map<string, number[]>();

  /** Before `settledMs` news may be lost, so budgets are counted from then on. */
  constructor(programs: readonly ImportantTasks[], settledMs: number) {
    this.#programs = programs;
    this.#settledMs = settledMs;
  }

  /** How often a task of that framework was ended for others. */
  countOf(name: string): number {
    return this.#preempted.get(name) ?? 0;
  }

  /** A message of a framework or to one. */
  read({ demands = [], updates = [] }: SchedulingMessage, nowMs: number): Violation[] {
    for (const { role, count } of demands) if (count > 0) this.#demanding.add(role);
    return updates.flatMap(({ taskId, reason, message, state }) => {
      const name = taskId.slice(0, taskId.indexOf("-"));
      const isPreempted = reason === StatusReason.REASON_PREEMPTED;
      const found = this.#count(name, taskId, state, isPreempted && state === TaskState.TASK_KILLED, nowMs);
      if (!isPreempted || state < TaskState.TASK_FINISHED) return found;
      this.#preempted.set(name, this.countOf(name) + 1);
      const role = / in role ([^,;]+)/.exec(message)?.[1] ?? "";
      return this.#demanding.has(role) ? found : [...found, violation("preempted-for-nobody", taskId, message)];
    });
  }

  /** From the news alone: who is missing of a budget, from its preempted end until a successor runs. */
  #count(name: string, taskId: string, state: TaskState, isPreempted: boolean, nowMs: number): Violation[] {
    if (nowMs < this.#settledMs || this.#seen.has(`${taskId} ${state}`)) return [];
    this.#seen.add(`${taskId} ${state}`);
    const since = (this.#missing.get(name) ?? []).filter((atMs) => nowMs - atMs < missingMs);
    this.#missing.set(name, since);
    if (state === TaskState.TASK_RUNNING) since.shift();
    if (!isPreempted) return [];
    since.push(nowMs);
    const program = this.#programs.find((each) => each.name === name);
    if (program === undefined || since.length <= program.preemptedMax) return [];
    return [violation("budget-exceeded", name, `${since.length} are missing, of ${program.preemptedMax}`)];
  }
}

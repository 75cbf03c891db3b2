import { TaskState } from "@muster/proto";

const terminalStates: ReadonlySet<TaskState> = new Set([
  TaskState.TASK_FINISHED,
  TaskState.TASK_FAILED,
  TaskState.TASK_KILLED,
  TaskState.TASK_ERROR,
  TaskState.TASK_DROPPED,
  TaskState.TASK_GONE,
]);

/** Whether a task in that state has ended for good. */
export function isTerminal(state: TaskState): boolean {
  return terminalStates.has(state);
}

const names = new Map<number, string>(Object.entries(TaskState).map(([name, number]) => [number, name]));

/** The protocol's name of a state, for people. */
export function stateName(state: TaskState): string {
  return names.get(state) ?? String(state);
}

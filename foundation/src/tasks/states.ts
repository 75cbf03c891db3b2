import { TaskState } from "@muster/proto";

/** Whether a task in that state has ended for good: nothing comes after it. */
export function isTerminal(state: TaskState): boolean {
  return state >= TaskState.TASK_FINISHED && state <= TaskState.TASK_GONE;
}

const names = new Map<number, string>(Object.entries(TaskState).map(([name, number]) => [number, name]));

/** The protocol's name of a state, for instance "TASK_RUNNING". */
export function taskStateName(state: TaskState): string {
  return names.get(state) ?? `TASK_STATE_${state}`;
}

import { taskIdOf } from "../folders.ts";
import type { AgentState, Task } from "./model.ts";

/** Under which id the present attempt of a task runs. The first has the task's own; no two attempts share one. */
export function procId({ id, attempt }: Pick<Task, "id" | "attempt">): string {
  return attempt === 0 ? id : `${id}-${attempt}`;
}

/** The task whose present attempt runs under that id; news of an earlier attempt concern nobody any more. */
export function taskOf(state: AgentState, id: string): Task | undefined {
  const task = state.tasks.get(taskIdOf(id));
  return task && procId(task) === id ? task : undefined;
}

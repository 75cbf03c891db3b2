import type { TaskGroup } from "./types.ts";

const joinPrefix = "container:";

/** As much of a task as its network follows from. */
export interface NetworkedTask {
  readonly name: string;
  /** Absent: its group's. */
  readonly network?: { readonly mode: string };
}

/** What is wrong with the network of the task of that index; empty: nothing. */
export function problemOfTaskNetwork(tasks: readonly NetworkedTask[], index: number): string {
  const seen = new Set([index]);
  for (let at = index; ; ) {
    const name = joinedBy(tasks[at]);
    if (name === undefined) return "";
    const next = tasks.findIndex((task) => task.name === name);
    if (next < 0) return `the group has no task "${name}"`;
    if (seen.has(next)) return `the network of task "${name}" leads back to where it began`;
    seen.add(next);
    at = next;
  }
}

function joinedBy(task: NetworkedTask | undefined): string | undefined {
  const mode = task?.network?.mode ?? "";
  return mode.startsWith(joinPrefix) ? mode.slice(joinPrefix.length) : undefined;
}

/** Whether a task is in a network of its own, or in that of a task which has one: none of the group's ports is there. */
export function isApart({ tasks }: Pick<TaskGroup, "tasks">, index: number): boolean {
  if (problemOfTaskNetwork(tasks, index) !== "") return false;
  let at = index;
  for (let name = joinedBy(tasks[at]); name !== undefined; name = joinedBy(tasks[at]))
    at = tasks.findIndex((task) => task.name === name);
  return tasks[at]?.network?.mode === "none";
}

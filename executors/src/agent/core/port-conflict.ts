import type { HostTask, TaskListener } from "../../world/host-ports.ts";
import type { ProcExit } from "../../world/proc.ts";
import { procId } from "./attempts.ts";
import type { Task } from "./model.ts";
import { networkOfPort } from "./places.ts";
import type { Context } from "./status.ts";

/** A command that can't bind its port says so at once: later ends have other causes. */
export const portConflictAgeMsMax = 10_000;

/**
 * Tasks of a group share its ports. If one ends badly right after its start, and another may have been first at a port,
 * the end waits for the answer to who listens, so that it can be told with it. False: there is nothing to ask.
 */
export function asksForHolders({ state, effects }: Context, task: Task, exit: ProcExit): boolean {
  const { group, started, kill } = task;
  if (exit.exitCode === 0 || exit.exitCode === undefined || kill || !started || group.assigned.length === 0)
    return false;
  if (exit.at - started.at > portConflictAgeMsMax) return false;
  const tasks: HostTask[] = [];
  for (const other of group.tasks)
    if (other !== task && other.phase === "running" && other.started)
      tasks.push({ id: other.id, started: other.started });
  if (tasks.length === 0) return false;
  state.endsWaiting.set(procId(task), exit);
  effects.push({ type: "find-holders", id: procId(task), tasks });
  return true;
}

/** What is to be told of a bad end beside its code; empty: no other task of the group listens on a port of the group. */
export function conflictText({ group }: Task, found: readonly TaskListener[]): string {
  for (const port of group.assigned) {
    const number = networkOfPort(group, port)?.portInside(port);
    const holder = found.find((each) => each.port === number && (port.protocol || each.protocol) === each.protocol);
    if (!holder) continue;
    const first = group.tasks.find(({ id }) => id === holder.id)?.info.taskId;
    return `; port ${number} ("${port.label}") is listened on by task ${first} of its group already: pid ${holder.pid} (${holder.command})`;
  }
  return "";
}

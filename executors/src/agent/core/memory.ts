import { StatusReason, TaskState } from "@muster/proto";
import type { ProcExit } from "../../world/proc.ts";
import { taskOf } from "./attempts.ts";
import type { Task } from "./model.ts";
import { type Context, type News, report } from "./status.ts";

/** What a shell makes of the end of its command by SIGKILL. */
const shellCodeOfKill = 137;

/** The limit of a task's memory in MiB; 0: none is known. */
export function memoryLimitMiB({ info, spec }: Task): number {
  return Math.max(info.resources?.memoryMiB ?? 0, spec.memoryMiBMax);
}

/**
 * Processes of a task that runs on were ended for want of memory. It is told when their count has doubled since it was
 * told last, so that a task which loses its workers for ever does not fill its queue of statuses.
 */
export function memoryKilled(context: Context, id: string, kills: number): void {
  const task = taskOf(context.state, id);
  if (task?.phase !== "running" || kills < Math.max(1, task.memoryKills * 2)) return;
  task.memoryKills = kills;
  const message = `${killsText(task, kills)}; its main process runs on`;
  const taskState = task.kill ? TaskState.TASK_KILLING : TaskState.TASK_RUNNING;
  report(context, task, taskState, { reason: StatusReason.REASON_OUT_OF_MEMORY, message });
}

/** Whether memory is why a task ended badly: the kernel has counted a kill, and its end looks like one. */
export function memoryVerdict(task: Task, exit: ProcExit): News | undefined {
  const kills = exit.memoryKills ?? 0;
  if (kills === 0) return undefined;
  const wasKilled = exit.signal === "SIGKILL" || exit.exitCode === shellCodeOfKill;
  if (wasKilled) return { reason: StatusReason.REASON_OUT_OF_MEMORY, message: killsText(task, kills) };
  const end = exit.signal === "" ? `exit code ${exit.exitCode}` : `ended by ${exit.signal}`;
  return { reason: StatusReason.REASON_COMMAND_EXITED, message: `${end}; before that, ${killsText(task, kills)}` };
}

function killsText(task: Task, kills: number): string {
  const processes = kills === 1 ? "one of its processes" : `${kills} of its processes`;
  return `out of memory: at its limit of ${memoryLimitMiB(task)} MiB the kernel ended ${processes}`;
}

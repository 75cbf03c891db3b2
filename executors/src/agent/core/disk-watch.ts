import { StatusReason } from "@muster/proto";
import type { DiskQuestion, DiskUse } from "../../world/disk-meter.ts";
import { beginKill } from "./kill.ts";
import type { AgentState, Task } from "./model.ts";
import type { Context } from "./status.ts";

export interface DiskWatch {
  /** Monotonic. */
  nextAtMs: number;
  isUnderWay: boolean;
}

/** When tasks' files are to be looked at next, monotonic; infinite while no task has a limit. O(tasks) if one has. */
export function nextDiskLookMs(state: AgentState): number {
  const { config, diskWatch } = state;
  if (config.diskWatchMs === undefined || diskWatch.isUnderWay) return Number.POSITIVE_INFINITY;
  for (const task of state.tasks.values()) if (isLimited(task)) return diskWatch.nextAtMs;
  return Number.POSITIVE_INFINITY;
}

/** Asks what the files of tasks with a limit take, if it is time. O(tasks) if one has. */
export function measureDisks({ state, now, effects }: Context): void {
  const { config, diskWatch } = state;
  if (nextDiskLookMs(state) > now.monotonicMs) return;
  const questions: DiskQuestion[] = [];
  for (const task of state.tasks.values())
    if (isLimited(task)) questions.push({ id: task.id, limitMiB: limitMiB(task) });
  diskWatch.isUnderWay = true;
  diskWatch.nextAtMs = now.monotonicMs + (config.diskWatchMs ?? 0);
  effects.push({ type: "measure-disks", questions });
}

/** Ends those that have more than they may. */
export function disksMeasured(context: Context, found: readonly DiskUse[]): void {
  context.state.diskWatch.isUnderWay = false;
  for (const { id, usedMiB, largest } of found) {
    const task = context.state.tasks.get(id);
    if (!task || !isLimited(task) || usedMiB <= limitMiB(task)) continue;
    const message = `DISK_LIMIT: its files take ${usedMiB} MiB of the disk, its limit is ${limitMiB(task)} MiB; the largest is ${largest}`;
    beginKill(context, task, { reason: StatusReason.REASON_DISK_LIMIT, message });
  }
}

/** 0: none. */
function limitMiB({ info }: Task): number {
  return info.resources?.diskMiB ?? 0;
}

/** What is being ended is ended already. */
function isLimited(task: Task): boolean {
  return task.phase === "running" && !task.kill && limitMiB(task) > 0;
}

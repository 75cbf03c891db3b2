import { StatusReason, type Volume } from "@muster/proto";
import { type DiskQuestion, type DiskUse, volumeIdOf, volumeQuestion } from "../../world/disk-meter.ts";
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
  for (const task of state.tasks.values())
    if (isLimited(task) || (task.group.volumes.length > 0 && isRunning(task))) return diskWatch.nextAtMs;
  return Number.POSITIVE_INFINITY;
}

/** Asks what the files of tasks with a limit take, if it is time. O(tasks) if one has. */
export function measureDisks({ state, now, effects }: Context): void {
  const { config, diskWatch } = state;
  if (nextDiskLookMs(state) > now.monotonicMs) return;
  const questions: DiskQuestion[] = [];
  for (const task of state.tasks.values())
    if (isLimited(task)) questions.push({ id: task.id, limitMiB: limitMiB(task) });
  for (const { volumeId, diskMiB } of volumesInUse(state))
    questions.push({ id: volumeQuestion(volumeId), limitMiB: diskMiB });
  diskWatch.isUnderWay = true;
  diskWatch.nextAtMs = now.monotonicMs + (config.diskWatchMs ?? 0);
  effects.push({ type: "measure-disks", questions });
}

/** Ends those that have more than they may. */
export function disksMeasured(context: Context, found: readonly DiskUse[]): void {
  context.state.diskWatch.isUnderWay = false;
  for (const use of found) {
    const { id, usedMiB, largest } = use;
    const volumeId = volumeIdOf(id);
    if (volumeId !== undefined) {
      volumeMeasured(context, volumeId, use);
      continue;
    }
    const task = context.state.tasks.get(id);
    if (!task || !isLimited(task) || usedMiB <= limitMiB(task)) continue;
    const message = `DISK_LIMIT: its files take ${usedMiB} MiB of the disk, its limit is ${limitMiB(task)} MiB; the largest is ${largest}`;
    beginKill(context, task, { reason: StatusReason.REASON_DISK_LIMIT, message });
  }
}

/** Whoever fills a volume beyond its size is ended, as who fills the disk: its data stay. */
function volumeMeasured(context: Context, volumeId: string, { usedMiB, largest }: DiskUse): void {
  const limit = context.state.setAside.kept.volumes.get(volumeId)?.diskMiB;
  if (limit === undefined || usedMiB <= limit) return;
  for (const task of context.state.tasks.values()) {
    if (!isRunning(task) || !task.group.volumes.some((volume) => volume.volumeId === volumeId)) continue;
    const message = `DISK_LIMIT: volume ${volumeId} has ${usedMiB} MiB of files, its size is ${limit} MiB; the largest is ${largest}`;
    beginKill(context, task, { reason: StatusReason.REASON_DISK_LIMIT, message });
  }
}

/** O(tasks). */
function volumesInUse({ tasks, setAside }: AgentState): Volume[] {
  const used = new Set<string>();
  for (const task of tasks.values())
    if (isRunning(task)) for (const { volumeId } of task.group.volumes) used.add(volumeId);
  return [...used].flatMap((volumeId) => setAside.kept.volumes.get(volumeId) ?? []);
}

/** 0: none. */
function limitMiB({ info }: Task): number {
  return info.resources?.diskMiB ?? 0;
}

/** What is being ended is ended already. */
function isLimited(task: Task): boolean {
  return isRunning(task) && limitMiB(task) > 0;
}

function isRunning({ phase, kill }: Task): boolean {
  return phase === "running" && !kill;
}

import type { Instance, Run } from "./model.ts";

const prefixLengthMax = 120;

/**
 * The id of one launch of an instance: `<job>.<run>.<group>-<index>-<launch>`. The launch id and its first task's id. A run
 * that was asked for has its moment behind its key: a job that was purged and handed in again counts from 1 again, and
 * agents take an id that they have seen for what it was.
 */
export function launchIdOf(jobId: string, run: Run, instance: Instance): string {
  const key = run.kind === "scheduled" ? run.key : `${run.key}-${run.plannedAt.toString(36)}`;
  return `${idPrefix(jobId)}.${key}.${instance.groupIndex}-${instance.index}-${instance.launch}`;
}

/** The id of a task of a launch: the first has the launch's own. */
export function taskIdOf(jobId: string, run: Run, instance: Instance, ordinal: number): string {
  const launchId = launchIdOf(jobId, run, instance);
  return ordinal === 0 ? launchId : `${launchId}.${ordinal}`;
}

/** Letters, digits, dots, dashes and underscores; what was something else, or too long, is told apart by a hash. */
function idPrefix(jobId: string): string {
  const plain = jobId.replace(/[^A-Za-z0-9._-]/g, "_").slice(0, prefixLengthMax);
  return plain === jobId ? plain : `${plain}-${hash(jobId)}`;
}

/** FNV-1a over UTF-16 code units: only jobs that look alike after cutting need to differ. */
function hash(text: string): string {
  let value = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) value = Math.imul(value ^ text.charCodeAt(i), 16_777_619);
  return (value >>> 0).toString(36);
}

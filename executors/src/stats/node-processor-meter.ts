import type { ProcessorMeter, ProcessorQuestion, ProcessorUse } from "../world/processor-meter.ts";
import { readProcesses, treeOf } from "./process-tree.ts";
import { readText } from "./read-text.ts";

const tickNs = 10_000_000;

interface Sample {
  readonly atMs: number;
  readonly idleNs: number;
  readonly tasks: ReadonlyMap<string, { readonly pid: number; readonly cpuNs: number }>;
}

/** Reads /proc once for all tasks. O(processes of the host) a measurement. */
export function nodeProcessorMeter(): ProcessorMeter {
  let earlier: Sample | undefined;
  return {
    measure: (questions, done) => {
      takeSample(questions).then(
        (sample) => {
          const use = earlier && sample && usedBetween(earlier, sample);
          earlier = sample;
          done(use);
        },
        () => done(undefined),
      );
    },
  };
}

async function takeSample(questions: readonly ProcessorQuestion[]): Promise<Sample | undefined> {
  const idleNs = idleOf((await readText("/proc/stat")) ?? "");
  if (idleNs === undefined) return undefined;
  const atMs = performance.now();
  const processes = await readProcesses();
  const tasks = new Map<string, { pid: number; cpuNs: number }>();
  for (const { id, pid, shimPid } of questions) {
    const tree = treeOf(processes, pid, shimPid);
    if (tree !== undefined) tasks.set(id, { pid, cpuNs: tree.cpuNs });
  }
  return { atMs, idleNs, tasks };
}

/** Nanoseconds that all processors were idle, those included that waited for disks. */
export function idleOf(stat: string): number | undefined {
  const fields = /^cpu +(.*)$/m.exec(stat)?.[1]?.split(" ").map(Number) ?? [];
  const ticks = (fields[3] ?? Number.NaN) + (fields[4] ?? 0);
  return Number.isNaN(ticks) ? undefined : ticks * tickNs;
}

function usedBetween(before: Sample, after: Sample): ProcessorUse | undefined {
  const windowMs = after.atMs - before.atMs;
  if (windowMs <= 0) return undefined;
  const millis = (ns: number): number => Math.max(0, Math.round(ns / windowMs / 1_000));
  const tasks = new Map<string, number>();
  for (const [id, { pid, cpuNs }] of after.tasks) {
    const known = before.tasks.get(id);
    if (known?.pid === pid) tasks.set(id, millis(cpuNs - known.cpuNs));
  }
  return { tasks, idleCpuMillis: millis(after.idleNs - before.idleNs) };
}

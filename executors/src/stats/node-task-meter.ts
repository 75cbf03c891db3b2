import { foreignCgroups } from "../exec/enter.ts";
import type { TaskMeter, TaskUse } from "../world/task-files.ts";
import { readGroupUse } from "./cgroup-use.ts";
import { findTree, type Tree, treeMemory } from "./process-tree.ts";

/** The processor's use is measured over at least so long. */
export const windowMsMin = 500;
/** A measurement that somebody asked for lately begins the next one's window; an older one says nothing of "lately". */
export const windowMsMax = 10_000;

interface Sample {
  readonly atMs: number;
  /** Nanoseconds that the task has used the processor for. */
  readonly cpuNs: number;
  readonly source: "cgroup" | "tree";
}

/** Measures tasks by /proc and by their control groups. Nothing is read, and nothing waits, unless somebody asks. */
export function nodeTaskMeter(): TaskMeter {
  const samples = new Map<string, Sample>();
  return {
    measure: ({ id, pid, shimPid }, done) => {
      measure(pid, shimPid, samples.get(id)).then(
        (found) => {
          for (const [known, { atMs }] of samples) if (performance.now() - atMs > windowMsMax) samples.delete(known);
          if (found) samples.set(id, found.sample);
          done(found?.use);
        },
        () => done(undefined),
      );
    },
  };
}

async function measure(
  pid: number,
  shimPid: number,
  earlier: Sample | undefined,
): Promise<{ use: TaskUse; sample: Sample } | undefined> {
  // Where the task is in the groups of its shim, their figures are not the task's alone.
  const groups = foreignCgroups(pid, "self").filter((folder) => foreignCgroups(pid, shimPid).includes(folder));
  let first = isUsable(earlier) ? earlier : await sampleOf(pid, shimPid, groups);
  if (!first) return undefined;
  const leftMs = windowMsMin - (performance.now() - first.atMs);
  if (leftMs > 0) await new Promise((resolve) => setTimeout(resolve, leftMs));
  const tree = await findTree(pid, shimPid);
  const second = await sampleOf(pid, shimPid, groups, tree);
  if (!second || !tree || tree.pids.length === 0) return undefined;
  if (first.source !== second.source) first = second;
  const windowMs = second.atMs - first.atMs;
  const memory = (await readGroupUse(groups)).memoryBytes;
  const use: TaskUse = {
    cpuMillis: windowMs > 0 ? Math.max(0, Math.round((second.cpuNs - first.cpuNs) / windowMs / 1_000)) : 0,
    processCount: tree.pids.length,
    windowMs: Math.round(windowMs),
    ...(memory === undefined ? await treeMemory(tree.pids) : { memoryBytes: memory, memorySource: "cgroup" }),
  };
  return { use, sample: second };
}

function isUsable(sample: Sample | undefined): sample is Sample {
  return sample !== undefined && performance.now() - sample.atMs <= windowMsMax;
}

async function sampleOf(
  pid: number,
  shimPid: number,
  groups: readonly string[],
  known?: Tree,
): Promise<Sample | undefined> {
  const { cpuNs } = await readGroupUse(groups);
  if (cpuNs !== undefined) return { atMs: performance.now(), cpuNs, source: "cgroup" };
  const tree = known ?? (await findTree(pid, shimPid));
  return tree && { atMs: performance.now(), cpuNs: tree.cpuNs, source: "tree" };
}

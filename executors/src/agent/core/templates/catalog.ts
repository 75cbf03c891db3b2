import type { ServiceInstance } from "@muster/foundation";
import type { Task } from "../model.ts";
import type { Context } from "../status.ts";
import { type CatalogNews, type Known, needKey } from "./model.ts";
import { renderAll } from "./render.ts";

/**
 * What stands under names has changed: files that are made of it are made anew, at once or when nothing has changed for the
 * time that their templates say. O(tasks that want what has changed), each once.
 */
export function catalogTold(context: Context, isInDoubt: boolean, news: readonly CatalogNews[]): void {
  const { wanted, known } = context.state.catalog;
  const affected = new Map<Task, Set<string>>();
  for (const { need, known: told } of news) {
    const key = needKey(need);
    const asked = wanted.get(key);
    if (!asked) continue;
    if (told.kind === "refused")
      context.effects.push({
        type: "log",
        level: "warn",
        fields: { need: key, reason: told.reason },
        message: "something that templates ask for can't be told",
      });
    known.set(key, isInDoubt ? together(known.get(key), told) : told);
    for (const id of asked.tasks) {
      const task = context.state.tasks.get(id);
      if (task) affected.set(task, (affected.get(task) ?? new Set()).add(key));
    }
  }
  for (const [task, keys] of affected) settle(context, task, keys);
}

/** As long as agents are awaited, instances that were known may live on unseen. */
function together(before: Known | undefined, told: Known): Known {
  if (before?.kind !== "service" || told.kind !== "service") return told;
  const name = ({ taskId, port }: ServiceInstance): string => `${taskId} ${port}`;
  const all = new Map([...before.instances, ...told.instances].map((one) => [name(one), one]));
  return { kind: "service", instances: [...all.values()].sort((a, b) => (a.taskId < b.taskId ? -1 : 1)) };
}

function settle(context: Context, task: Task, keys: ReadonlySet<string>): void {
  const { templates } = task;
  if (!templates) return;
  const parts = templates.parts.filter(({ needs }) => needs.some((need) => keys.has(needKey(need))));
  const settleMs = Math.max(0, ...parts.map(({ file }) => file.settleMs));
  if (settleMs === 0 || templates.phase === "waiting") {
    renderAll(context, task);
    return;
  }
  const { monotonicMs } = context.now;
  const sinceMs = templates.settle?.sinceMs ?? monotonicMs;
  const maxMs = Math.max(settleMs, ...parts.map(({ file }) => file.settleMsMax));
  templates.settle = { sinceMs, dueMs: Math.min(monotonicMs + settleMs, sinceMs + maxMs) };
}

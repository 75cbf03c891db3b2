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

/** As long as agents are awaited, what was known may live on unseen. */
function together(before: Known | undefined, told: Known): Known {
  if (told.kind === "service") {
    const known = before?.kind === "service" ? before : { instances: [], isPartial: true };
    const name = ({ taskId, port }: ServiceInstance): string => `${taskId} ${port}`;
    const all = new Map([...known.instances, ...told.instances].map((one) => [name(one), one]));
    const instances = [...all.values()].sort((one, other) => (one.taskId < other.taskId ? -1 : 1));
    return { kind: "service", instances, isPartial: known.isPartial === true };
  }
  if (told.kind !== "services") return told;
  const known = before?.kind === "services" ? before : { services: [], isPartial: true };
  const all = new Map([...known.services, ...told.services].map((one) => [one.name, one]));
  const services = [...all.values()].sort((one, other) => (one.name < other.name ? -1 : 1));
  return { kind: "services", services, isPartial: known.isPartial === true };
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

import type { TemplateNeed } from "@muster/foundation";
import type { AgentEffect } from "../effects.ts";
import type { AgentState, Task } from "../model.ts";
import { catalogWantedMax, needKey } from "./model.ts";
import { secretNeeds } from "./secrets.ts";

interface Place {
  readonly state: AgentState;
  readonly effects: AgentEffect[];
}

/** Keeps the list of what is followed in step with what a task's files and secrets need now. O(its needs). */
export function followNeeds(place: Place, task: Task): void {
  const needs = new Map<string, TemplateNeed>();
  for (const { need } of secretNeeds(task)) needs.set(needKey(need), need);
  for (const { file, text, needs: own } of task.templates?.parts ?? [])
    if (!file.once || text === undefined) for (const need of own) needs.set(needKey(need), need);
  follow(place, task, needs);
}

/** A task that has ended needs nothing any more. */
export function forgetNeeds(place: Place, task: Task): void {
  if (!task.templates) return;
  task.templates.secrets.clear();
  task.templates.change = undefined;
  task.templates.settle = undefined;
  task.templates.tellAtMs = undefined;
  follow(place, task, new Map());
}

function follow({ state, effects }: Place, { id, templates }: Task, needs: ReadonlyMap<string, TemplateNeed>): void {
  if (!templates) return;
  const { wanted, known } = state.catalog;
  let isChanged = false;
  for (const key of templates.followed.keys()) {
    const tasks = wanted.get(key)?.tasks;
    if (needs.has(key) || !tasks?.delete(id) || tasks.size > 0) continue;
    wanted.delete(key);
    known.delete(key);
    isChanged = true;
  }
  for (const [key, need] of needs) {
    const present = wanted.get(key);
    if (present) present.tasks.add(id);
    else if (wanted.size < catalogWantedMax) {
      wanted.set(key, { need, tasks: new Set([id]) });
      isChanged = true;
    } else
      effects.push({
        type: "log",
        level: "error",
        fields: { taskId: id, need: key },
        message: `${catalogWantedMax} names are followed already: what a template asks for beyond is never told`,
      });
  }
  templates.followed = needs;
  if (isChanged) effects.push({ type: "follow-catalog" });
}

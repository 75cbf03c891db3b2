import { interpolated } from "../../environment/interpolation.ts";
import { isServed } from "../executor-model.ts";
import type { Task } from "../model.ts";
import type { Context } from "../status.ts";
import { environmentOf } from "./data.ts";
import { placeOf } from "./places.ts";

/** Whether a task has to wait for its files and secrets; the first time what they are made of is asked for. */
export function awaitsTemplates(context: Context, task: Task): boolean {
  const { templates } = task;
  if (!templates || isServed(task.group)) return false;
  if (templates.phase === "ready") {
    if (templates.parts.every(({ text }) => text !== undefined)) return false;
    // What is made before the start alone was not made when this life of the agent took the task up.
    templates.phase = "none";
  }
  // Also where it is to be started again: that its time has come is settled.
  task.phase = "preparing";
  if (templates.phase === "none") beginTemplates(context, task);
  return true;
}

/** A task that an earlier life of the agent has started: its files are kept in step from here on. */
export function resumeTemplates(context: Context, task: Task): void {
  if (task.templates?.phase !== "none" || isServed(task.group)) return;
  if (task.templates.parts.some(({ file }) => !file.once)) beginTemplates(context, task);
}

function beginTemplates(context: Context, task: Task): void {
  const { templates } = task;
  if (!templates) return;
  templates.phase = "reading";
  const { config } = context.state;
  const environment = environmentOf(context.state, task);
  const sources = templates.parts
    .filter(({ file }) => file.text === "")
    .map(({ file }) =>
      placeOf(interpolated(file.source, environment, task, config), environment, config.dataFolder, task.id),
    );
  const wrong = sources.find((place) => typeof place === "string");
  if (wrong !== undefined) {
    context.effects.push({ type: "refuse-materials", id: task.id, problem: `template source ${wrong}` });
    return;
  }
  const wish = {
    id: task.id,
    role: task.group.role,
    sources: sources.filter((place) => typeof place !== "string"),
    secrets: task.spec.secrets.flatMap(({ name, provider, path }) =>
      provider === "file" || provider === "env" ? [{ name, provider, path } as const] : [],
    ),
  };
  context.effects.push({ type: "read-materials", wish });
}

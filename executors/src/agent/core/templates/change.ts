import { StatusReason, TemplateChange } from "@muster/proto";
import type { ProbeResult } from "../../../world/prober.ts";
import { procId } from "../attempts.ts";
import { beginKill } from "../kill.ts";
import type { Task } from "../model.ts";
import { scriptTarget } from "../probe-target.ts";
import type { Context } from "../status.ts";
import { digestOf } from "./digest.ts";
import type { TemplatePart } from "./model.ts";

const signalDefault = "SIGHUP";
const scriptTimeoutMsDefault = 5_000;

/**
 * Files of a task that runs have changed: plans what happens to it. What is planned already takes the new changes in, so
 * that several of them are one restart, and one signal of each kind.
 */
export function planChange(context: Context, task: Task): void {
  const { templates } = task;
  if (!templates) return;
  const changed = templates.parts.filter((part) => part.text !== undefined && digestOf(part.text) !== part.applied);
  const wanted = changed.filter(({ file }) => file.change !== TemplateChange.TEMPLATE_CHANGE_NONE);
  for (const part of changed) if (!wanted.includes(part)) part.applied = digestOf(part.text ?? "");
  if (wanted.length === 0) {
    if (changed.length > 0) context.effects.push({ type: "persist-state", id: task.id, purpose: undefined });
    return;
  }
  const splayMs = Math.max(...wanted.map(({ file }) => file.splayMs));
  templates.change ??= {
    atMs: context.now.monotonicMs + Math.floor(context.state.random.next() * splayMs),
    restarts: false,
    signals: new Set(),
    scripts: new Set(),
  };
  for (const part of wanted) note(task, part);
  carryOutChange(context, task);
}

function note({ templates }: Task, part: TemplatePart): void {
  const { change, signal } = part.file;
  const planned = templates?.change;
  if (!planned) return;
  if (change === TemplateChange.TEMPLATE_CHANGE_SIGNAL) planned.signals.add(signal || signalDefault);
  else if (change === TemplateChange.TEMPLATE_CHANGE_SCRIPT) planned.scripts.add(templates.parts.indexOf(part));
  else planned.restarts = true;
}

/** Does what is planned, if it is time and the task runs. A start to come begins with the new files by itself. */
export function carryOutChange(context: Context, task: Task): void {
  const { templates } = task;
  const change = templates?.change;
  if (!templates || !change || context.now.monotonicMs < change.atMs || task.phase === "starting") return;
  templates.change = undefined;
  for (const part of templates.parts) if (part.text !== undefined) part.applied = digestOf(part.text);
  context.effects.push({ type: "persist-state", id: task.id, purpose: undefined });
  if (task.phase !== "running" || task.kill) return;
  if (change.restarts) {
    const message = "a file that is made from a template has changed";
    beginKill(context, task, { reason: StatusReason.REASON_TEMPLATE_CHANGED, message });
    return;
  }
  for (const signal of change.signals) context.effects.push({ type: "signal", id: procId(task), signal });
  for (const index of change.scripts) runScript(context, task, index);
}

function runScript(context: Context, task: Task, index: number): void {
  const script = task.templates?.parts[index]?.file.script;
  const target = script && scriptTarget(task, script, context.state.config);
  if (!target) return;
  const timeoutMs = script.timeoutMs || scriptTimeoutMsDefault;
  context.effects.push({ type: "run-script", id: task.id, index, target, timeoutMs });
}

/** A script that was run since a file had changed has ended. */
export function scriptEnded(context: Context, id: string, index: number, { passed, message }: ProbeResult): void {
  const task = context.state.tasks.get(id);
  const file = task?.templates?.parts[index]?.file;
  if (!task || !file || passed) return;
  const text = `the script of template ${file.destination} failed: ${message}`;
  context.effects.push({ type: "log", level: "warn", fields: { taskId: task.info.taskId }, message: text });
  if (file.script?.failsTask) beginKill(context, task, { reason: StatusReason.REASON_TEMPLATE_FAILED, message: text });
}

/** When something planned is due, monotonic. */
export function changeAtMs({ templates, phase }: Task): number | undefined {
  return phase === "starting" ? undefined : templates?.change?.atMs;
}

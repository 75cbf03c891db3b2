import {
  faultText,
  missingText,
  parseTemplate,
  renderTemplate,
  TemplateFault,
  type TemplateNeed,
} from "@muster/foundation";
import { StatusReason, TaskState, type TemplateFile } from "@muster/proto";
import type { MaterialsFound } from "../../../world/materials.ts";
import { interpolated, secretsIn } from "../../environment/interpolation.ts";
import { procId } from "../attempts.ts";
import type { Task } from "../model.ts";
import { endTask } from "../process.ts";
import type { Context } from "../status.ts";
import { advance } from "../turns.ts";
import { planChange } from "./change.ts";
import { environmentOf, templateData } from "./data.ts";
import { digestOf } from "./digest.ts";
import { readEnvironmentLines } from "./env-lines.ts";
import type { TemplatePart } from "./model.ts";
import { placeOf } from "./places.ts";
import { secretValue, takeKeySecrets } from "./secrets.ts";
import { followNeeds } from "./wanted.ts";

/** A task waits so long before its framework is told for what: most of what is missing comes at once. */
export const missingTellMs = 1_000;

const modeDefault = 0o644;

/** How delimiters stand in a description. */
export function delimitersOf({ leftDelimiter, rightDelimiter }: TemplateFile): { left: string; right: string } {
  return { left: leftDelimiter || "{{", right: rightDelimiter || "}}" };
}

/** What a task's files are made of on this host has been read, or could not be. */
export function materialsRead(context: Context, id: string, found: MaterialsFound): void {
  const task = context.state.tasks.get(id);
  const { templates } = task ?? {};
  if (!task || !templates || templates.phase !== "reading" || task.phase === "ended") return;
  if (!found.ok) {
    failed(context, task, found.problem);
    return;
  }
  const sources = [...found.sources];
  const ofHost = task.spec.secrets.filter(({ provider }) => provider !== "key");
  for (const [index, { name }] of ofHost.entries()) templates.secrets.set(name, found.secrets[index] ?? "");
  for (const [index, part] of templates.parts.entries()) {
    const text = part.file.text || (sources.shift() ?? "");
    try {
      part.template = parseTemplate(text, delimitersOf(part.file));
    } catch (error) {
      failed(context, task, `${nameOf(part, index)}: ${faultOf(error, text)}`);
      return;
    }
  }
  templates.phase = "waiting";
  renderAll(context, task);
}

/** Evaluates what a task's files are made from; what has changed is written. O(its templates, bounded by their limits). */
export function renderAll(context: Context, task: Task): void {
  const { templates } = task;
  if (!templates || (templates.phase !== "waiting" && templates.phase !== "ready")) return;
  templates.settle = undefined;
  const missing = takeKeySecrets(task, context.state.catalog);
  followNeeds(context, task);
  if (missing.length > 0) {
    wait(context, task, missing);
    return;
  }
  const unknown = unknownSecret(task);
  if (unknown !== undefined) {
    failed(context, task, unknown);
    return;
  }
  const environment = environmentOf(context.state, task);
  const made: { readonly index: number; readonly text: string }[] = [];
  for (const [index, part] of templates.parts.entries()) {
    const text = renderPart(context, task, environment, index);
    if (text === "failed") return;
    if (part.missing.length > 0) missing.push(...part.missing);
    else if (text !== undefined && text.whole !== part.text) made.push({ index, text: text.whole });
  }
  followNeeds(context, task);
  // Before the start nothing is written by halves; after it each file has a life of its own.
  if (missing.length > 0 && templates.phase === "waiting") {
    wait(context, task, missing);
    return;
  }
  if (!takeEnvironment(context, task, made)) return;
  for (const { index, text } of made) writePart(context, task, environment, index, text);
  if (templates.writingCount === 0) filesSettled(context, task);
}

/** Undefined: it stays as it is. */
function renderPart(
  context: Context,
  task: Task,
  environment: Readonly<Record<string, string>>,
  index: number,
): { readonly whole: string } | undefined | "failed" {
  const part = task.templates?.parts[index];
  if (!part?.template || (part.file.once && (part.text !== undefined || hasProcess(task)))) return undefined;
  const isResumed = hasProcess(task) && part.text === undefined;
  const data = templateData(context.state, task, environment, context.now, isResumed);
  const options = { failsOnMissingKey: part.file.failsOnMissingKey, takesEmptyServices: part.text !== undefined };
  try {
    const { text, needs, missing } = renderTemplate(part.template, data, options);
    part.needs = needs;
    part.missing = missing;
    return text === undefined ? undefined : { whole: text };
  } catch (error) {
    failed(context, task, `${nameOf(part, index)}: ${faultOf(error, part.template.text)}`);
    return "failed";
  }
}

/** References of the environment to something that a secret has not. */
function unknownSecret(task: Task): string | undefined {
  for (const value of Object.values(task.spec.environment))
    for (const { name, key } of secretsIn(value))
      if (secretValue(task, name, key) === undefined) return `secret ${name} has no "${key}"`;
  return undefined;
}

/** What all files with `env` say together; those further down win. */
function takeEnvironment(
  context: Context,
  task: Task,
  made: readonly { readonly index: number; readonly text: string }[],
): boolean {
  const { templates } = task;
  if (!templates) return false;
  const environment: Record<string, string> = {};
  for (const [index, part] of templates.parts.entries()) {
    if (!part.file.env) continue;
    const text = made.find((one) => one.index === index)?.text ?? part.text ?? "";
    const read = readEnvironmentLines(text);
    if (typeof read === "string") {
      failed(context, task, `${nameOf(part, index)}: ${read}`);
      return false;
    }
    Object.assign(environment, read);
  }
  templates.environment = environment;
  return true;
}

function writePart(
  context: Context,
  task: Task,
  environment: Readonly<Record<string, string>>,
  index: number,
  text: string,
): void {
  const { templates } = task;
  const part = templates?.parts[index];
  if (!templates || !part) return;
  const { config } = context.state;
  const { destination, mode, uid, gid } = part.file;
  const place = placeOf(interpolated(destination, environment, task, config), environment, config.dataFolder, task.id);
  if (typeof place === "string") {
    failed(context, task, `${nameOf(part, index)}: destination ${place}`);
    return;
  }
  part.text = text;
  // What a process of an earlier life of the agent knows of already stands there.
  if (part.applied !== "" && part.applied === digestOf(text)) return;
  templates.writingCount++;
  context.effects.push({
    type: "make-file",
    index,
    file: { id: task.id, place, text, mode: mode || modeDefault, uid, gid },
  });
}

/** A file stands in its place, or could not be written. */
export function fileMade(context: Context, id: string, index: number, problem: string | undefined): void {
  const task = context.state.tasks.get(id);
  const { templates } = task ?? {};
  const part = templates?.parts[index];
  if (!task || !templates || !part || task.phase === "ended") return;
  templates.writingCount--;
  if (problem !== undefined) {
    part.text = undefined;
    failed(context, task, `${nameOf(part, index)}: ${problem}`);
    return;
  }
  if (templates.writingCount === 0) filesSettled(context, task);
}

function filesSettled(context: Context, task: Task): void {
  const { templates } = task;
  if (!templates) return;
  const isFirst = templates.phase === "waiting" && !hasProcess(task);
  templates.phase = "ready";
  templates.tellAtMs = undefined;
  templates.told = "";
  if (!isFirst) {
    planChange(context, task);
    return;
  }
  for (const part of templates.parts) part.applied = digestOf(part.text ?? "");
  advance(context, task.group);
}

/** Whether there is something that has begun with what was made before. */
function hasProcess({ phase }: Task): boolean {
  return phase === "running" || phase === "starting";
}

function wait({ now }: Context, { templates }: Task, missing: readonly TemplateNeed[]): void {
  if (!templates) return;
  const text = missingText(missing);
  if (text === templates.told) return;
  templates.told = text;
  templates.tellAtMs ??= now.monotonicMs + missingTellMs;
}

/**
 * Before the start it is the end of the task, and would be again. A task that runs is left alone: its files stay as they
 * are until what they are made from changes again.
 */
function failed(context: Context, task: Task, message: string): void {
  if (hasProcess(task)) {
    if (task.templates && task.templates.phase !== "ready") task.templates.phase = "none";
    context.effects.push({
      type: "log",
      level: "warn",
      fields: { taskId: task.info.taskId, reason: message },
      message: "a file of a running task could not be made anew: it stays as it was",
    });
    return;
  }
  const reason = StatusReason.REASON_TEMPLATE_FAILED;
  endTask(context, procId(task), () => [TaskState.TASK_FAILED, { reason, message }]);
}

function faultOf(error: unknown, text: string): string {
  if (error instanceof TemplateFault) return faultText(error, text);
  throw error;
}

function nameOf({ file }: TemplatePart, index: number): string {
  return `template ${file.destination || index}`;
}

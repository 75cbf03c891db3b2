import type { TemplateNeed } from "@muster/foundation";
import type { Task } from "../model.ts";
import { type CatalogState, needKey } from "./model.ts";

/** Under which key a secret has its whole text. */
const wholeKey = "value";

/**
 * The value of a secret of a task: the whole of it as "value", and if it is a JSON object, each of its texts, numbers and
 * truths under its name. Undefined: there is none, or it is not known yet.
 */
export function secretValue({ templates }: Task, name: string, key: string): string | undefined {
  const text = templates?.secrets.get(name);
  if (text === undefined || key === wholeKey) return text;
  const parsed = parsedObject(text);
  const value = parsed && Object.hasOwn(parsed, key) ? parsed[key] : undefined;
  return typeof value === "string" || typeof value === "number" || typeof value === "boolean"
    ? String(value)
    : undefined;
}

function parsedObject(text: string): Readonly<Record<string, unknown>> | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null ? (value as Record<string, unknown>) : undefined;
  } catch {
    return undefined;
  }
}

/** Secrets that are keys of the cluster. */
export function secretNeeds({ spec }: Task): { readonly name: string; readonly need: TemplateNeed }[] {
  return spec.secrets
    .filter(({ provider }) => provider === "key")
    .map(({ name, path }) => ({ name, need: { kind: "key", name: path } }));
}

/** Takes in what is known of them; gives what is not. */
export function takeKeySecrets(task: Task, { known }: CatalogState): TemplateNeed[] {
  const missing: TemplateNeed[] = [];
  for (const { name, need } of secretNeeds(task)) {
    const found = known.get(needKey(need));
    const value = found?.kind === "keys" ? found.keys[0]?.[1] : undefined;
    if (value !== undefined) task.templates?.secrets.set(name, value);
    else if (!task.templates?.secrets.has(name)) missing.push(need);
  }
  return missing;
}

import type { CoreConfig, Task } from "../core/model.ts";
import { secretValue } from "../core/templates/secrets.ts";

/** Bytes that a value may grow to by interpolation. */
export const interpolatedLengthMax = 128 * 1024;

export interface Interpolation {
  /** The environment with its own values interpolated. */
  readonly environment: Record<string, string>;
  interpolate(text: string): string;
}

const reference = /\$\{([^${}]{1,256})\}/g;

/**
 * Fills in what only the agent knows: `${NOMAD_x}`, `${MUSTER_x}`, `${env["X"]}`, `${node.x}`, `${attr.x}`, `${meta.x}`,
 * and in the environment alone `${secret.x.y}`: arguments are seen by everybody on the host.
 * A reference to something unknown stays as it is written. Values are looked through once: what came from a value is
 * never a reference again, so nothing grows without end. What templates say of the environment wins, as it is.
 * O(variables); what refers to nothing is not copied.
 */
export function createInterpolation(raw: Record<string, string>, task: Task, config: CoreConfig): Interpolation {
  const told = task.templates?.environment;
  const environment = told ? { ...filledIn(raw, task, config), ...told } : filledIn(raw, task, config);
  return { environment, interpolate: (text) => interpolated(text, environment, task, config) };
}

/** Most environments refer to nothing, and are what they were. */
function filledIn(raw: Record<string, string>, task: Task, config: CoreConfig): Record<string, string> {
  const referring = Object.keys(raw).filter((name) => raw[name]?.includes("${"));
  if (referring.length === 0) return raw;
  const filled = { ...raw };
  for (const name of referring)
    filled[name] = replaced(raw[name] ?? "", (inside) => secretOf(inside, task) ?? lookUp(inside, raw, task, config));
  return filled;
}

/** A text with its references filled in from a finished environment. O(length). */
export function interpolated(
  text: string,
  environment: Readonly<Record<string, string>>,
  task: Task,
  config: CoreConfig,
): string {
  return replaced(text, (inside) => lookUp(inside, environment, task, config));
}

/** References to secrets in a text: name and key of each. */
export function secretsIn(text: string): { readonly name: string; readonly key: string }[] {
  return [...text.matchAll(reference)].flatMap(([, inside = ""]) => secretReference(inside.trim()) ?? []);
}

function replaced(text: string, find: (inside: string) => string | undefined): string {
  if (!text.includes("${")) return text;
  return text
    .replace(reference, (whole, inside: string) => find(inside.trim()) ?? whole)
    .slice(0, interpolatedLengthMax);
}

function secretReference(inside: string): { readonly name: string; readonly key: string } | undefined {
  const [, name, key = "value"] = /^secret\.([A-Za-z0-9_-]+)(?:\.([^.]+))?$/.exec(inside) ?? [];
  return name === undefined ? undefined : { name, key };
}

function secretOf(inside: string, task: Task): string | undefined {
  const wanted = secretReference(inside);
  return wanted && secretValue(task, wanted.name, wanted.key);
}

function lookUp(
  name: string,
  environment: Readonly<Record<string, string>>,
  task: Task,
  config: CoreConfig,
): string | undefined {
  if (/^(NOMAD|MUSTER)_/.test(name)) return own(environment, name);
  const variable = /^env\["([^"]+)"\]$/.exec(name)?.[1] ?? /^env\.(\w+)$/.exec(name)?.[1];
  if (variable !== undefined) return own(environment, variable);
  if (name.startsWith("attr.")) return own(config.attributes, name.slice("attr.".length));
  if (name.startsWith("meta.")) return own(config.attributes, name) ?? own(task.spec.meta, name.slice("meta.".length));
  if (name === "node.unique.id") return config.agentId;
  if (name === "node.unique.name") return config.agentName;
  if (name.startsWith("node.")) return own(config.attributes, name);
  return undefined;
}

function own(values: Readonly<Record<string, string>>, name: string): string | undefined {
  return Object.hasOwn(values, name) ? values[name] : undefined;
}

import type { CoreConfig, Task } from "../core/model.ts";

/** Bytes that a value may grow to by interpolation. */
export const interpolatedLengthMax = 128 * 1024;

export interface Interpolation {
  /** The environment with its own values interpolated. */
  readonly environment: Record<string, string>;
  interpolate(text: string): string;
}

const reference = /\$\{([^${}]{1,256})\}/g;

/**
 * Fills in what only the agent knows: `${NOMAD_x}`, `${MUSTER_x}`, `${env["X"]}`, `${node.x}`, `${attr.x}`, `${meta.x}`.
 * A reference to something unknown stays as it is written. Values are looked through once: what came from a value is
 * never a reference again, so nothing grows without end.
 */
export function createInterpolation(raw: Record<string, string>, task: Task, config: CoreConfig): Interpolation {
  const replace = (text: string, environment: Readonly<Record<string, string>>): string =>
    text.includes("${")
      ? text
          .replace(reference, (whole, name: string) => lookUp(name.trim(), environment, task, config) ?? whole)
          .slice(0, interpolatedLengthMax)
      : text;
  const environment: Record<string, string> = {};
  for (const [name, value] of Object.entries(raw)) environment[name] = replace(value, raw);
  return { environment, interpolate: (text) => replace(text, environment) };
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

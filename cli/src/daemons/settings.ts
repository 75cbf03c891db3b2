import { readFileSync } from "node:fs";
import { createLog, type Log, type LogLevel, resolveConfig, type Schema, type ValuesOf } from "@muster/foundation";
import { usageError } from "../cli-error.ts";
import type { Invocation } from "../command.ts";

/** Settings of one component: defaults < file < environment < flags. */
export function settingsOf<S extends Schema>(schema: S, invocation: Invocation): ValuesOf<S> {
  const flags: Record<string, unknown> = {};
  for (const name of Object.keys(schema)) {
    const value = invocation.options.text(name);
    if (value !== undefined) flags[name] = value;
  }
  const path = invocation.options.text("config");
  try {
    return resolveConfig(schema, {
      flags,
      environment: invocation.environment,
      ...(path === undefined ? {} : { file: readSettings(path) }),
    }).values;
  } catch (error) {
    if (error instanceof Error && error.name === "MusterError") throw usageError(error.message);
    throw error;
  }
}

/** A file of `name = value` lines, as in HCL: numbers, true, false, texts, and lists of texts. */
export function readSettings(path: string): Record<string, unknown> {
  const settings: Record<string, unknown> = {};
  readFileSync(path, "utf8")
    .split("\n")
    .forEach((line, index) => {
      if (/^\s*(#.*|\/\/.*)?$/.test(line)) return;
      const found = /^\s*([a-z][a-z0-9_]*)\s*=\s*("(?:[^"\\]|\\.)*"|\[[^\]]*\]|true|false|-?\d+)\s*(#.*|\/\/.*)?$/.exec(
        line,
      );
      const key = found?.[1] ?? "";
      if (!found || key in settings)
        throw usageError(`${path}:${index + 1}: ${found ? `${key} is set twice` : "needs name = value"}`);
      settings[key] = parseValue(found[2] ?? "", `${path}:${index + 1}`);
    });
  return settings;
}

function parseValue(text: string, place: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw usageError(`${place}: ${text} is no value`);
  }
}

export function componentLog(component: string, level: string): Log {
  return createLog({ component, level: level as LogLevel });
}

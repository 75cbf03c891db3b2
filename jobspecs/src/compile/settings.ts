import type { Diagnostic } from "../diagnostics/diagnostic.ts";
import { evaluate } from "../evaluate/evaluate.ts";
import type { Scope } from "../evaluate/scope.ts";
import { runtimeText, type Value } from "../evaluate/value.ts";
import { parse } from "../syntax/parse.ts";
import { Report, Source } from "../syntax/source.ts";
import type { Body } from "../syntax/tree.ts";
import { surroundingsOf, withinLimits } from "./surroundings.ts";

export type Setting = string | number | boolean | null | readonly Setting[] | { readonly [name: string]: Setting };

/**
 * A configuration file: attributes become values, blocks become objects (labels as inner names), as HCL readers expect.
 * Present values are those that could be read; errors are among the diagnostics.
 */
export function readSettings(
  file: string,
  text: string,
): { readonly settings: Readonly<Record<string, Setting>>; readonly diagnostics: readonly Diagnostic[] } {
  const source = new Source(file, text);
  const report = new Report();
  const scope = bareScope(source, report);
  const body = parse(source, report);
  const settings = withinLimits(source, report, () => readBody(body, scope)) ?? {};
  return { settings, diagnostics: report.diagnostics };
}

/** Literals, operators and functions alone: no variables, no locals, no files. */
export function bareScope(source: Source, report: Report): Scope {
  return {
    source,
    report,
    surroundings: surroundingsOf({}),
    names: new Map(),
    variable: () => undefined,
    variableNames: () => [],
    local: () => undefined,
    localNames: () => [],
  };
}

function readBody(body: Body, scope: Scope): Record<string, Setting> {
  // Without a prototype, so that no name of the file can be anything but a name.
  const made: Record<string, Setting> = Object.create(null);
  for (const item of body.items) {
    if (item.kind === "attribute") {
      const value = toSetting(evaluate(item.value, scope));
      if (value !== undefined) made[item.name] = value;
      continue;
    }
    let inner: Setting = readBody(item.body, scope);
    const path = [item.type, ...item.labels.map((label) => label.text)];
    for (const name of path.slice(1).reverse()) inner = { [name]: inner };
    const before = made[item.type];
    if (before === undefined) made[item.type] = inner;
    else if (item.labels.length > 0 && typeof before === "object" && before !== null && !Array.isArray(before)) {
      made[item.type] = { ...before, ...(inner as Record<string, Setting>) };
    } else {
      scope.report.error(scope.source, item.typeSpan, {
        code: "schema/repeated",
        summary: `"${item.type}" is written twice`,
      });
    }
  }
  return made;
}

function toSetting(value: Value): Setting | undefined {
  switch (value.kind) {
    case "string":
      return value.text;
    case "number":
      return value.number;
    case "bool":
      return value.bool;
    case "null":
      return null;
    case "runtime":
      return runtimeText(value);
    case "list":
      return value.items.map((item) => toSetting(item) ?? null);
    case "map":
      return Object.fromEntries([...value.entries].map(([key, item]) => [key, toSetting(item) ?? null]));
    case "unknown":
      return undefined;
  }
}

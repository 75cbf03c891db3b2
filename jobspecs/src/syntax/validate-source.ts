import type { Diagnostic } from "../diagnostics/diagnostic.ts";
import { parse } from "./parse.ts";
import { Report, Source } from "./source.ts";

/** Grammar alone: the diagnostics of one text. */
export function validateSource(file: string, text: string): readonly Diagnostic[] {
  const report = new Report();
  parse(new Source(file, text), report);
  return report.diagnostics;
}

import type { Diagnostic } from "./diagnostic.ts";

/** Text for people: `file:line:col: error: summary`, the line, a mark below, the hint beside it. Ends with a line break. */
export function renderDiagnostics(diagnostics: readonly Diagnostic[]): string {
  return diagnostics.map(renderOne).join("");
}

function renderOne(diagnostic: Diagnostic): string {
  const { file, line, column, severity, summary, excerpt, detail, hint, related } = diagnostic;
  const lines = [`${file}:${line}:${column}: ${severity}: ${summary}`];
  const margin = String(line).padStart(6);
  if (excerpt !== "") {
    lines.push(
      `${margin} | ${excerpt}`,
      `${" ".repeat(6)} | ${mark(diagnostic)}${hint === undefined ? "" : ` ${hint}`}`,
    );
  } else if (hint !== undefined) lines.push(`${" ".repeat(6)} = ${hint}`);
  for (const place of related ?? []) lines.push(`       ${place.file}:${place.line}:${place.column}: ${place.summary}`);
  if (detail !== "") lines.push(`       ${detail}`);
  return `${lines.join("\n")}\n`;
}

/** Tabs of the line stand in the mark's blanks too, so that both shift alike. */
function mark(diagnostic: Diagnostic): string {
  const { excerpt, column, endColumn, line, endLine } = diagnostic;
  const units = [...new Intl.Segmenter("en").segment(excerpt)].map((segment) => segment.segment);
  const before = units.slice(0, column - 1).map((unit) => (unit === "\t" ? "\t" : " "));
  const last = line === endLine ? endColumn : units.length + 1;
  const length = Math.max(1, Math.min(last, units.length + 1) - column);
  return `${before.join("").padEnd(Math.min(column - 1, units.length))}^${"~".repeat(length - 1)}`;
}

import { type Diagnostic, excerptLengthMax, type Span } from "../diagnostics/diagnostic.ts";

export interface Position {
  readonly line: number;
  readonly column: number;
}

const newline = 10;

/** A named text with an index of its lines, made when first asked for. */
export class Source {
  readonly file: string;
  readonly text: string;
  #lineStarts: number[] | undefined;

  constructor(file: string, text: string) {
    this.file = file;
    this.text = text;
  }

  /** O(log lines), plus the length of the line if it is not plain ASCII. */
  position(offset: number): Position {
    const starts = this.#starts();
    let low = 0;
    let high = starts.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if ((starts[middle] ?? 0) <= offset) low = middle;
      else high = middle - 1;
    }
    return { line: low + 1, column: columnOf(this.text.slice(starts[low] ?? 0, offset)) };
  }

  /** Text of a line (from 1), without its line break. */
  lineText(line: number): string {
    const starts = this.#starts();
    const start = starts[line - 1] ?? this.text.length;
    const next = starts[line];
    const end = next === undefined ? this.text.length : next - 1;
    const text = this.text.slice(start, end);
    return text.endsWith("\r") ? text.slice(0, -1) : text;
  }

  #starts(): number[] {
    if (this.#lineStarts) return this.#lineStarts;
    const starts = [0];
    for (let at = this.text.indexOf("\n"); at >= 0; at = this.text.indexOf("\n", at + 1)) starts.push(at + 1);
    this.#lineStarts = starts;
    return starts;
  }
}

let segmenter: Intl.Segmenter | undefined;

/** Column after `before`, the text of a line up to the place: 1 + its grapheme clusters. */
function columnOf(before: string): number {
  for (let index = 0; index < before.length; index++) {
    const code = before.charCodeAt(index);
    if (code > 126 || code === newline) return 1 + countGraphemes(before);
  }
  return before.length + 1;
}

export function countGraphemes(text: string): number {
  segmenter ??= new Intl.Segmenter("en", { granularity: "grapheme" });
  let count = 0;
  for (const _ of segmenter.segment(text)) count++;
  return count;
}

export interface Remark {
  readonly code: string;
  readonly summary: string;
  readonly detail?: string;
  readonly hint?: string | undefined;
  readonly related?: { readonly source: Source; readonly span: Span; readonly summary: string } | undefined;
}

/** Remarks kept for one compilation; what comes after is counted, not kept. */
export const diagnosticsMax = 100;

/** Collects diagnostics of one compilation; remarks on one place with one code are kept once. */
export class Report {
  readonly diagnostics: Diagnostic[] = [];
  readonly #seen = new Set<string>();
  errorCount = 0;
  omittedCount = 0;

  error(source: Source, span: Span, remark: Remark): void {
    this.errorCount++;
    this.#add("error", source, span, remark);
  }

  warning(source: Source, span: Span, remark: Remark): void {
    this.#add("warning", source, span, remark);
  }

  #add(severity: Diagnostic["severity"], source: Source, span: Span, remark: Remark): void {
    const key = `${source.file}:${span.start}:${remark.code}:${remark.summary}`;
    if (this.#seen.has(key)) return;
    if (this.diagnostics.length >= diagnosticsMax) {
      this.omittedCount++;
      return;
    }
    this.#seen.add(key);
    this.diagnostics.push(diagnosticAt(severity, source, span, remark));
  }
}

export function diagnosticAt(severity: Diagnostic["severity"], source: Source, span: Span, remark: Remark): Diagnostic {
  const start = source.position(span.start);
  const end = source.position(Math.max(span.end, span.start));
  const place = remark.related?.source.position(remark.related.span.start);
  return {
    severity,
    code: remark.code,
    file: source.file,
    line: start.line,
    column: start.column,
    endLine: end.line,
    endColumn: end.column,
    excerpt: source.lineText(start.line).slice(0, excerptLengthMax),
    summary: remark.summary,
    detail: remark.detail ?? "",
    ...(remark.hint === undefined ? {} : { hint: remark.hint }),
    ...(remark.related && place
      ? { related: [{ file: remark.related.source.file, ...place, summary: remark.related.summary }] }
      : {}),
  };
}

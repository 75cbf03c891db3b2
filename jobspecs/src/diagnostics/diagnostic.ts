/** A remark on a jobspec, tied to its place. Lines and columns count from 1; columns are grapheme clusters. */
export interface Diagnostic {
  readonly severity: "error" | "warning";
  /** Stable, `area/what`: `syntax/…`, `evaluate/…`, `schema/…`, `job/…`, `reference/…`. */
  readonly code: string;
  readonly file: string;
  readonly line: number;
  readonly column: number;
  readonly endLine: number;
  /** Column after the last character. */
  readonly endColumn: number;
  /** Text of the first line, cut at 240 characters. */
  readonly excerpt: string;
  /** One line: what is wrong. */
  readonly summary: string;
  /** Why, and what is allowed; may be empty. */
  readonly detail: string;
  /** What to do, e.g. `did you mean "count"?` */
  readonly hint?: string;
  readonly related?: readonly RelatedPlace[];
}

export interface RelatedPlace {
  readonly file: string;
  readonly line: number;
  readonly column: number;
  readonly summary: string;
}

export interface Span {
  /** Offset of the first UTF-16 unit. */
  readonly start: number;
  /** Offset after the last. */
  readonly end: number;
}

export const excerptLengthMax = 240;

import type { Span } from "../diagnostics/diagnostic.ts";
import type { Remark, Report, Source } from "../syntax/source.ts";

/** What an attribute holds after its type was checked. */
export type Plain = string | number | boolean | readonly string[] | ReadonlyMap<string, string> | Headers;

export interface Headers {
  readonly headers: Readonly<Record<string, readonly string[]>>;
}

export interface DecodedAttribute {
  readonly plain: Plain;
  readonly span: Span;
  /** The file that it stands in, which may be another than its block's. */
  readonly source: Source;
}

/** A block whose names, labels and types are right; what was wrong has been reported and is left out. */
export class DecodedBlock {
  readonly label: string;
  /** Place of the label, else of the block's word. */
  readonly span: Span;
  readonly #attributes: ReadonlyMap<string, DecodedAttribute>;
  readonly #blocks: ReadonlyMap<string, readonly DecodedBlock[]>;
  readonly #source: Source;
  readonly #report: Report;

  constructor(parts: {
    label: string;
    span: Span;
    attributes: ReadonlyMap<string, DecodedAttribute>;
    blocks: ReadonlyMap<string, readonly DecodedBlock[]>;
    source: Source;
    report: Report;
  }) {
    this.label = parts.label;
    this.span = parts.span;
    this.#attributes = parts.attributes;
    this.#blocks = parts.blocks;
    this.#source = parts.source;
    this.#report = parts.report;
  }

  has(name: string): boolean {
    return this.#attributes.has(name);
  }

  text(name: string): string | undefined {
    const plain = this.#attributes.get(name)?.plain;
    return typeof plain === "string" ? plain : undefined;
  }

  number(name: string): number | undefined {
    const plain = this.#attributes.get(name)?.plain;
    return typeof plain === "number" ? plain : undefined;
  }

  bool(name: string): boolean | undefined {
    const plain = this.#attributes.get(name)?.plain;
    return typeof plain === "boolean" ? plain : undefined;
  }

  texts(name: string): readonly string[] | undefined {
    const plain = this.#attributes.get(name)?.plain;
    return Array.isArray(plain) ? plain : undefined;
  }

  textMap(name: string): Readonly<Record<string, string>> {
    const plain = this.#attributes.get(name)?.plain;
    return plain instanceof Map ? Object.fromEntries(plain) : {};
  }

  headers(name: string): Readonly<Record<string, readonly string[]>> {
    const plain = this.#attributes.get(name)?.plain;
    return typeof plain === "object" && "headers" in plain ? plain.headers : {};
  }

  all(type: string): readonly DecodedBlock[] {
    return this.#blocks.get(type) ?? [];
  }

  first(type: string): DecodedBlock | undefined {
    return this.#blocks.get(type)?.[0];
  }

  /** Place of an attribute's value, else of the block. */
  place(name: string): Span {
    return this.#attributes.get(name)?.span ?? this.span;
  }

  #sourceOf(name: string | undefined): Source {
    return (name === undefined ? undefined : this.#attributes.get(name)?.source) ?? this.#source;
  }

  error(name: string | undefined, remark: Remark): void {
    this.#report.error(this.#sourceOf(name), name === undefined ? this.span : this.place(name), remark);
  }

  /** An error in a part of a text attribute: narrowed to it where the value stands in plain quotes, unescaped. */
  errorWithin(name: string, text: string, part: Span, remark: Remark): void {
    const whole = this.place(name);
    const source = this.#sourceOf(name);
    const at = source.text.slice(whole.start, whole.end).indexOf(`"${text}"`);
    const start = whole.start + at + 1;
    const span = at < 0 ? whole : { start: start + part.start, end: start + part.end };
    this.#report.error(source, span, remark);
  }

  /**
   * An error in a part of a text of many lines, at its place where the text stands as it is, as in a heredoc: indentation that
   * was taken off is found again. Else at the attribute.
   */
  errorInLines(name: string, text: string, part: Span, remark: Remark): void {
    const whole = this.place(name);
    const source = this.#sourceOf(name);
    const written = source.text.slice(whole.start, whole.end);
    if (!written.startsWith("<<")) {
      this.errorWithin(name, text, part, remark);
      return;
    }
    const begin = text.lastIndexOf("\n", part.start - 1) + 1;
    const lineNumber = text.slice(0, begin).split("\n").length;
    const line = text.slice(begin).split("\n", 1)[0] ?? "";
    // The line of the marker comes first.
    const lines = written.split("\n");
    const offset = lines.slice(0, lineNumber).reduce((sum, one) => sum + one.length + 1, 0);
    const column = lines[lineNumber]?.indexOf(line) ?? -1;
    const start = whole.start + offset + column + part.start - begin;
    const end = start + Math.max(1, Math.min(part.end, begin + line.length) - part.start);
    this.#report.error(source, line === "" || column < 0 ? whole : { start, end }, remark);
  }

  warning(name: string | undefined, remark: Remark): void {
    this.#report.warning(this.#sourceOf(name), name === undefined ? this.span : this.place(name), remark);
  }
}

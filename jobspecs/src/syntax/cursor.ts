import type { Span } from "../diagnostics/diagnostic.ts";
import { depthMax, nodesMax } from "./limits.ts";
import type { Remark, Report, Source } from "./source.ts";
import { type TokenKind, type Tokens, token } from "./tokens.ts";

/** Thrown inside the parser alone: this item cannot be read, go on at the next one. */
export class Unreadable extends Error {}

/** Thrown inside the parser alone: a cap was passed, nothing more is read. */
export class Exhausted extends Error {}

/** Walks the tokens; comments are skipped, and line breaks too where they mean nothing. */
export class Cursor {
  readonly source: Source;
  readonly #kinds: readonly TokenKind[];
  readonly #starts: readonly number[];
  readonly #ends: readonly number[];
  readonly #report: Report;
  #at = 0;
  #seesNewlines = true;
  #depth = 0;
  #nodes = 0;

  constructor(source: Source, tokens: Tokens, report: Report) {
    this.source = source;
    this.#kinds = tokens.kinds;
    this.#starts = tokens.starts;
    this.#ends = tokens.ends;
    this.#report = report;
  }

  /** Kind of the next token that counts. */
  peek(): TokenKind {
    this.#skip();
    return this.#kinds[this.#at] ?? token.eof;
  }

  /** Kind of the one after it. */
  peekSecond(): TokenKind {
    const saved = this.#at;
    this.#skip();
    this.#at++;
    const kind = this.peek();
    this.#at = saved;
    return kind;
  }

  get start(): number {
    this.#skip();
    return this.#starts[this.#at] ?? this.source.text.length;
  }

  get end(): number {
    this.#skip();
    return this.#ends[this.#at] ?? this.source.text.length;
  }

  /** Place of the next token; a line break begins with the comment before it, as in the reference. */
  get span(): Span {
    const { start, end } = this;
    if (this.#kinds[this.#at] !== token.newline || this.#kinds[this.#at - 1] !== token.comment) return { start, end };
    const before = this.#starts[this.#at - 1] ?? start;
    return { start: this.source.text.startsWith("/*", before) ? start : before, end };
  }

  /** Text of the next token. */
  get text(): string {
    return this.source.text.slice(this.start, this.end);
  }

  /** Takes the next token; the end of the file is never passed. */
  take(): Span {
    const span = this.span;
    if (this.#at < this.#kinds.length - 1) this.#at++;
    return span;
  }

  takeIf(kind: TokenKind): boolean {
    if (this.peek() !== kind) return false;
    this.take();
    return true;
  }

  /** Takes a name, or fails saying what it should have been. */
  takeName(what: string): string {
    if (this.peek() !== token.identifier) {
      this.fail(this.span, { code: "syntax/expected-name", summary: `expected ${what}` });
    }
    const name = this.text;
    this.take();
    return name;
  }

  isWord(word: string): boolean {
    return this.peek() === token.identifier && this.text === word;
  }

  withNewlines<T>(sees: boolean, read: () => T): T {
    const saved = this.#seesNewlines;
    this.#seesNewlines = sees;
    try {
      return read();
    } finally {
      this.#seesNewlines = saved;
    }
  }

  /** Runs one level deeper. */
  nested<T>(read: () => T): T {
    if (++this.#depth > depthMax) {
      this.error(this.span, {
        code: "syntax/too-deep",
        summary: `more than ${depthMax} levels inside one another`,
        detail: "Blocks, brackets, operators and templates may be nested that deep; split the value with locals.",
      });
      throw new Exhausted();
    }
    try {
      return read();
    } finally {
      this.#depth--;
    }
  }

  countNode(): void {
    if (++this.#nodes > nodesMax) {
      this.error(this.span, {
        code: "syntax/too-many-nodes",
        summary: `more than ${nodesMax} attributes, blocks and expressions in one file`,
      });
      throw new Exhausted();
    }
  }

  error(span: Span, remark: Remark): void {
    this.#report.error(this.source, span, remark);
  }

  fail(span: Span, remark: Remark): never {
    this.error(span, remark);
    throw new Unreadable();
  }

  /** After an error in the item that began at token `from`: on to the line break that ends it, or the brace that ends the body. */
  recover(from: number): void {
    let open = 0;
    let at = from;
    for (; at < this.#kinds.length - 1; at++) {
      const kind = this.#kinds[at];
      if (kind === token.newline && open <= 0 && at >= this.#at) break;
      if (isOpening(kind)) open++;
      else if (isClosing(kind) && --open < 0 && at >= this.#at) break;
    }
    this.#at = at;
  }

  get mark(): number {
    this.#skip();
    return this.#at;
  }

  #skip(): void {
    for (;;) {
      const kind = this.#kinds[this.#at];
      if (kind === token.comment || (kind === token.newline && !this.#seesNewlines)) this.#at++;
      else return;
    }
  }
}

function isOpening(kind: TokenKind | undefined): boolean {
  return (
    kind === token.openBrace ||
    kind === token.openBracket ||
    kind === token.openParen ||
    kind === token.interpolation ||
    kind === token.control
  );
}

function isClosing(kind: TokenKind | undefined): boolean {
  return (
    kind === token.closeBrace || kind === token.closeBracket || kind === token.closeParen || kind === token.sequenceEnd
  );
}

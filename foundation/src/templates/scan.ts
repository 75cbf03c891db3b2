import { TemplateFault } from "./fault.ts";
import type { Place } from "./tree.ts";

export type Token = Place &
  (
    | { readonly kind: "word" | "variable" | "field"; readonly text: string }
    | { readonly kind: "literal"; readonly value: string | number }
    | { readonly kind: "sign"; readonly text: "(" | ")" | "|" | "," | ":=" | "=" | "." }
  );

/** Text to be copied, or what stands between delimiters. */
export type Segment =
  | { readonly kind: "text"; readonly text: string }
  | ({ readonly kind: "action"; readonly tokens: readonly Token[] } & Place);

export interface Delimiters {
  readonly left: string;
  readonly right: string;
}

export const plainDelimiters: Delimiters = { left: "{{", right: "}}" };

/** Cuts a template into text and actions; trims white space where a delimiter has a dash. Throws TemplateFault. O(length). */
export function scan(text: string, { left, right }: Delimiters): Segment[] {
  const segments: Segment[] = [];
  let at = 0;
  let trims = false;
  for (;;) {
    const open = text.indexOf(left, at);
    const piece = text.slice(at, open < 0 ? text.length : open);
    const inside = open + left.length;
    const trimsBefore = open >= 0 && text[inside] === "-" && isBlank(text[inside + 1]);
    const kept = trimsBefore ? piece.trimEnd() : piece;
    const trimmed = trims ? kept.trimStart() : kept;
    if (trimmed !== "") segments.push({ kind: "text", text: trimmed });
    if (open < 0) return segments;
    const action = new ActionScanner(text, open, inside + (trimsBefore ? 2 : 0), right).scan();
    if (action.tokens) segments.push({ kind: "action", tokens: action.tokens, start: open, end: action.end });
    at = action.end;
    trims = action.trims;
  }
}

function isBlank(sign: string | undefined): boolean {
  return sign !== undefined && /\s/.test(sign);
}

const wordForm = /[\p{L}_][\p{L}\p{Nd}_]*/uy;
const numberForm = /[+-]?(?:0[xX][0-9a-fA-F_]+|0[bB][01_]+|0[oO][0-7_]+|\d[\d_]*(?:\.\d+)?(?:[eE][+-]?\d+)?)/y;

/** Reads one action from its first sign to behind its right delimiter. */
class ActionScanner {
  readonly #text: string;
  readonly #open: number;
  readonly #right: string;
  #at: number;

  constructor(text: string, open: number, from: number, right: string) {
    this.#text = text;
    this.#open = open;
    this.#right = right;
    this.#at = from;
  }

  /** Without tokens: a comment. */
  scan(): { readonly tokens?: Token[]; readonly end: number; readonly trims: boolean } {
    if (this.#text.startsWith("/*", this.#at)) return this.#comment();
    const tokens: Token[] = [];
    for (;;) {
      const isSpaced = this.#skipBlanks();
      const end = this.#endHere(isSpaced);
      if (end) return { tokens, ...end };
      tokens.push(this.#token());
    }
  }

  #comment(): { readonly end: number; readonly trims: boolean } {
    const close = this.#text.indexOf("*/", this.#at + 2);
    if (close < 0) throw new TemplateFault("the comment is not closed", this.#open, this.#at + 2, "close it with */");
    this.#at = close + 2;
    const isSpaced = this.#skipBlanks();
    const end = this.#endHere(isSpaced);
    if (!end) throw new TemplateFault("nothing may follow a comment in its action", this.#at, this.#at + 1);
    return end;
  }

  #endHere(isSpaced: boolean): { readonly end: number; readonly trims: boolean } | undefined {
    const text = this.#text;
    const at = this.#at;
    if (text.startsWith(this.#right, at)) return { end: at + this.#right.length, trims: false };
    if (isSpaced && text[at] === "-" && text.startsWith(this.#right, at + 1))
      return { end: at + 1 + this.#right.length, trims: true };
    if (at < text.length) return undefined;
    throw new TemplateFault("the action is not closed", this.#open, text.length, `close it with ${this.#right}`);
  }

  #skipBlanks(): boolean {
    const from = this.#at;
    while (isBlank(this.#text[this.#at])) this.#at++;
    return this.#at > from;
  }

  #token(): Token {
    const text = this.#text;
    const start = this.#at;
    const sign = text[start] as string;
    if (sign === '"') return this.#quoted(start);
    if (sign === "`") return this.#raw(start);
    if (sign === "'") return this.#character(start);
    if (text.startsWith(":=", start)) return this.#sign(":=", start);
    if (sign === "(" || sign === ")" || sign === "|" || sign === "," || sign === "=") return this.#sign(sign, start);
    if (sign === ".") {
      const name = this.#match(wordForm, start + 1);
      if (name === undefined) return this.#sign(".", start);
      this.#at = start + 1 + name.length;
      return { kind: "field", text: name, start, end: this.#at };
    }
    if (sign === "$") {
      const name = this.#match(wordForm, start + 1) ?? "";
      this.#at = start + 1 + name.length;
      return { kind: "variable", text: name, start, end: this.#at };
    }
    const number = this.#match(numberForm, start);
    if (number !== undefined && number !== "") {
      this.#at = start + number.length;
      const value = numberOf(number);
      if (!Number.isFinite(value)) throw new TemplateFault(`"${number}" is no number`, start, this.#at);
      return { kind: "literal", value, start, end: this.#at };
    }
    const word = this.#match(wordForm, start);
    if (word === undefined) throw new TemplateFault(`"${sign}" can't stand here`, start, start + 1);
    this.#at = start + word.length;
    return { kind: "word", text: word, start, end: this.#at };
  }

  #sign(text: Extract<Token, { kind: "sign" }>["text"], start: number): Token {
    this.#at = start + text.length;
    return { kind: "sign", text, start, end: this.#at };
  }

  #match(form: RegExp, at: number): string | undefined {
    form.lastIndex = at;
    return form.exec(this.#text)?.[0];
  }

  #quoted(start: number): Token {
    const text = this.#text;
    let at = start + 1;
    while (at < text.length && text[at] !== '"' && text[at] !== "\n") at += text[at] === "\\" ? 2 : 1;
    if (text[at] !== '"') throw new TemplateFault("the text is not closed on its line", start, at);
    this.#at = at + 1;
    return { kind: "literal", value: unescaped(text.slice(start + 1, at), start + 1), start, end: at + 1 };
  }

  #raw(start: number): Token {
    const close = this.#text.indexOf("`", start + 1);
    if (close < 0) throw new TemplateFault("the text is not closed", start, start + 1, "close it with `");
    this.#at = close + 1;
    return { kind: "literal", value: this.#text.slice(start + 1, close), start, end: close + 1 };
  }

  /** A character is its number, as in Go. */
  #character(start: number): Token {
    const found = /'((?:\\.[0-9a-fA-F]*|[^'\\\n]))'/uy;
    found.lastIndex = start;
    const inside = found.exec(this.#text)?.[1];
    if (inside === undefined) throw new TemplateFault("this is no character", start, start + 1, 'write texts in ""');
    this.#at = found.lastIndex;
    return { kind: "literal", value: unescaped(inside, start + 1).codePointAt(0) ?? 0, start, end: this.#at };
  }
}

function numberOf(text: string): number {
  const plain = text.replaceAll("_", "");
  if (/^[+-]?0[xXbBoO]/.test(plain)) {
    const isNegative = plain.startsWith("-");
    const value = Number(plain.replace(/^[+-]/, ""));
    return isNegative ? -value : value;
  }
  return Number(plain);
}

const escapes: Readonly<Record<string, string>> = {
  a: "\x07",
  b: "\b",
  f: "\f",
  n: "\n",
  r: "\r",
  t: "\t",
  v: "\v",
  "\\": "\\",
  "'": "'",
  '"': '"',
};

function unescaped(text: string, at: number): string {
  return text.replace(
    /\\(?:x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|([0-7]{3})|(.))?/gsu,
    (whole, x?: string, u?: string, long?: string, octal?: string, one?: string, offset = 0) => {
      const hex = x ?? u ?? long;
      const code = hex !== undefined ? Number.parseInt(hex, 16) : octal !== undefined ? Number.parseInt(octal, 8) : -1;
      if (code >= 0 && code <= 0x10ffff) return String.fromCodePoint(code);
      const plain = one === undefined ? undefined : escapes[one];
      if (plain === undefined)
        throw new TemplateFault(
          `"${whole}" means nothing in a text`,
          at + offset,
          at + offset + whole.length,
          "write \\\\ for a backslash",
        );
      return plain;
    },
  );
}

import { type TokenKind, type Tokens, token } from "./tokens.ts";

/** What the scanner is inside of. `braces` counts the open `{` of code since the frame began. */
type Frame =
  | { readonly kind: "code"; braces: number }
  | { readonly kind: "quoted" }
  | { readonly kind: "heredoc"; readonly marker: string; lineStart: boolean };

/** Cuts a text into tokens in one pass; never fails: what fits nowhere becomes `invalid`. O(length). */
export function scan(text: string): Tokens {
  return new Scanner(text).run();
}

/** The same for a text that is a template as a whole: its literal parts are those of a heredoc. */
export function scanTemplate(text: string): Tokens {
  // No line holds a line break, so the end marker never comes.
  return new Scanner(text, { kind: "heredoc", marker: "\n", lineStart: true }).run();
}

class Scanner {
  readonly #text: string;
  readonly #kinds: TokenKind[] = [];
  readonly #starts: number[] = [];
  readonly #ends: number[] = [];
  readonly #frames: Frame[];
  #at: number;

  constructor(text: string, frame: Frame = { kind: "code", braces: 0 }) {
    this.#text = text;
    this.#frames = [frame];
    // A byte order mark is no part of the text.
    this.#at = text.charCodeAt(0) === 0xfeff ? 1 : 0;
  }

  run(): Tokens {
    const length = this.#text.length;
    while (this.#at < length) {
      const frame = this.#frames[this.#frames.length - 1] as Frame;
      if (frame.kind === "code") this.#code(frame);
      else if (frame.kind === "quoted") this.#quoted();
      else this.#heredoc(frame);
    }
    this.#push(token.eof, length, length);
    return { kinds: this.#kinds, starts: this.#starts, ends: this.#ends };
  }

  #push(kind: TokenKind, start: number, end: number): void {
    this.#kinds.push(kind);
    this.#starts.push(start);
    this.#ends.push(end);
    this.#at = end;
  }

  #code(frame: { braces: number }): void {
    const text = this.#text;
    const start = this.#at;
    const code = text.charCodeAt(start);
    if (code === 32 || code === 9) {
      this.#at++;
    } else if (isIdentifierStart(code, text, start)) {
      this.#push(token.identifier, start, identifierEnd(text, start));
    } else if (code >= 48 && code <= 57) {
      this.#push(token.number, start, numberEnd(text, start));
    } else if (code === 10) {
      this.#push(token.newline, start, start + 1);
    } else if (code === 13 && text.charCodeAt(start + 1) === 10) {
      this.#push(token.newline, start, start + 2);
    } else if (code === 34) {
      this.#push(token.openQuote, start, start + 1);
      this.#frames.push({ kind: "quoted" });
    } else if (code === 35 || (code === 47 && text.charCodeAt(start + 1) === 47)) {
      this.#lineComment(start);
    } else if (code === 47 && text.charCodeAt(start + 1) === 42 && text.indexOf("*/", start + 2) >= 0) {
      this.#push(token.comment, start, text.indexOf("*/", start + 2) + 2);
    } else if (code === 123) {
      frame.braces++;
      this.#push(token.openBrace, start, start + 1);
    } else if (code === 125) {
      this.#closeBrace(frame, start, 1);
    } else if (code === 126 && text.charCodeAt(start + 1) === 125 && this.#endsSequence(frame)) {
      this.#closeBrace(frame, start, 2);
    } else if (code === 60 && text.charCodeAt(start + 1) === 60) {
      this.#openHeredoc(start);
    } else {
      this.#punctuation(start, code);
    }
  }

  #lineComment(start: number): void {
    let end = this.#text.indexOf("\n", start);
    if (end < 0) end = this.#text.length;
    else if (this.#text.charCodeAt(end - 1) === 13) end--;
    this.#push(token.comment, start, end);
  }

  #endsSequence(frame: { braces: number }): boolean {
    return frame.braces === 0 && this.#frames.length > 1;
  }

  #closeBrace(frame: { braces: number }, start: number, length: number): void {
    if (this.#endsSequence(frame)) {
      this.#frames.pop();
      this.#push(token.sequenceEnd, start, start + length);
      return;
    }
    if (frame.braces > 0) frame.braces--;
    this.#push(token.closeBrace, start, start + 1);
  }

  #openHeredoc(start: number): void {
    const text = this.#text;
    const name = text.charCodeAt(start + 2) === 45 ? start + 3 : start + 2;
    if (isIdentifierStart(text.charCodeAt(name), text, name)) {
      const nameEnd = identifierEnd(text, name);
      const lineEnd = text.charCodeAt(nameEnd) === 13 ? nameEnd + 1 : nameEnd;
      if (text.charCodeAt(lineEnd) === 10) {
        this.#push(token.openHeredoc, start, lineEnd + 1);
        this.#frames.push({ kind: "heredoc", marker: text.slice(name, nameEnd), lineStart: true });
        return;
      }
    }
    this.#push(token.less, start, start + 1);
  }

  #punctuation(start: number, code: number): void {
    const next = this.#text.charCodeAt(start + 1);
    const pair = pairs.get(code * 128 + next);
    const single = singles.get(code);
    if (pair !== undefined) this.#push(pair, start, start + 2);
    else if (code === 46 && next === 46 && this.#text.charCodeAt(start + 2) === 46) {
      this.#push(token.ellipsis, start, start + 3);
    } else if (single !== undefined) this.#push(single, start, start + 1);
    else {
      const point = this.#text.codePointAt(start) ?? 0;
      this.#push(token.invalid, start, start + (point > 0xffff ? 2 : 1));
    }
  }

  #quoted(): void {
    const text = this.#text;
    const start = this.#at;
    let at = start;
    for (; at < text.length; at++) {
      const code = text.charCodeAt(at);
      if (code === 34 || code === 10 || code === 13) break;
      if (code === 92 && text.charCodeAt(at + 1) !== 10 && text.charCodeAt(at + 1) !== 13) at++;
      else if ((code === 36 || code === 37) && opensSequence(text, at)) {
        if (!isEscapedSequence(text, at, start)) break;
      }
    }
    at = Math.min(at, text.length);
    if (at > start) this.#push(token.quotedText, start, at);
    else this.#quotedEdge(at);
  }

  #quotedEdge(at: number): void {
    const code = this.#text.charCodeAt(at);
    if (code === 34) {
      this.#frames.pop();
      this.#push(token.closeQuote, at, at + 1);
    } else if (code === 10 || code === 13) {
      // The string was not closed: the rest of the file is code again, so that one slip is one error.
      this.#frames.pop();
      this.#push(token.quotedNewline, at, at);
    } else {
      this.#openSequence(at, code);
    }
  }

  #heredoc(frame: { readonly marker: string; lineStart: boolean }): void {
    const text = this.#text;
    const start = this.#at;
    if (frame.lineStart) {
      const lineEnd = text.indexOf("\n", start);
      if (lineEnd >= 0 && isMarkerLine(text.slice(start, lineEnd), frame.marker)) {
        const markerStart = text.indexOf(frame.marker, start);
        this.#frames.pop();
        this.#push(token.closeHeredoc, markerStart, markerStart + frame.marker.length);
        // A marker may be followed by blanks or a carriage return, which the code frame takes up.
        return;
      }
    }
    let at = start;
    for (; at < text.length; at++) {
      const code = text.charCodeAt(at);
      if (code === 10) {
        frame.lineStart = true;
        this.#push(token.heredocText, start, at + 1);
        return;
      }
      if ((code === 36 || code === 37) && opensSequence(text, at) && !isEscapedSequence(text, at, start)) break;
      if (code === 13 && text.charCodeAt(at + 1) !== 10) break;
    }
    frame.lineStart = false;
    if (at > start) this.#push(token.heredocText, start, at);
    else if (text.charCodeAt(at) === 13) this.#push(token.invalid, at, at + 1);
    else this.#openSequence(at, text.charCodeAt(at));
  }

  #openSequence(at: number, code: number): void {
    const length = this.#text.charCodeAt(at + 2) === 126 ? 3 : 2;
    this.#push(code === 36 ? token.interpolation : token.control, at, at + length);
    this.#frames.push({ kind: "code", braces: 0 });
  }
}

/** Blanks may stand around the marker; a carriage return only where it belongs to the line break. */
function isMarkerLine(line: string, marker: string): boolean {
  if (line.trim() !== marker) return false;
  const at = line.indexOf("\r");
  return at < 0 || at === line.length - 1;
}

function opensSequence(text: string, at: number): boolean {
  return text.charCodeAt(at + 1) === 123;
}

/** `$${` and `%%{` stand for themselves: the sign before, within this literal, is the same. */
function isEscapedSequence(text: string, at: number, start: number): boolean {
  return at > start && text.charCodeAt(at - 1) === text.charCodeAt(at);
}

const unicodeStart = /^[\p{ID_Start}]$/u;
const unicodePart = /^[\p{ID_Continue}]$/u;

function isIdentifierStart(code: number, text: string, at: number): boolean {
  if (code < 128) return (code >= 97 && code <= 122) || (code >= 65 && code <= 90) || code === 95;
  if (Number.isNaN(code)) return false;
  return unicodeStart.test(String.fromCodePoint(text.codePointAt(at) ?? 0));
}

function identifierEnd(text: string, start: number): number {
  let at = start;
  while (at < text.length) {
    const code = text.charCodeAt(at);
    if (code < 128) {
      const isPart =
        (code >= 97 && code <= 122) ||
        (code >= 65 && code <= 90) ||
        (code >= 48 && code <= 57) ||
        code === 95 ||
        code === 45;
      if (!isPart) break;
      at++;
    } else {
      const point = text.codePointAt(at) ?? 0;
      if (!unicodePart.test(String.fromCodePoint(point))) break;
      at += point > 0xffff ? 2 : 1;
    }
  }
  return at;
}

/** Digits, dots and exponents, not ending with a dot: `1.2.3` is one (bad) number, `1...` is 1 and an ellipsis. */
function numberEnd(text: string, start: number): number {
  let at = start + 1;
  let end = at;
  while (at < text.length) {
    const code = text.charCodeAt(at);
    if (code >= 48 && code <= 57) end = ++at;
    else if (code === 46) at++;
    else if (code === 101 || code === 69) {
      const sign = text.charCodeAt(at + 1);
      const digit = text.charCodeAt(sign === 43 || sign === 45 ? at + 2 : at + 1);
      if (!(digit >= 48 && digit <= 57)) break;
      at += sign === 43 || sign === 45 ? 3 : 2;
      end = at;
    } else break;
  }
  return end;
}

const pairKey = (pair: string): number => pair.charCodeAt(0) * 128 + pair.charCodeAt(1);

const pairs = new Map<number, TokenKind>([
  [pairKey("=="), token.equalEqual],
  [pairKey("!="), token.notEqual],
  [pairKey("<="), token.lessEqual],
  [pairKey(">="), token.greaterEqual],
  [pairKey("=>"), token.arrow],
  [pairKey("&&"), token.and],
  [pairKey("||"), token.or],
]);

const singles = new Map<number, TokenKind>([
  [".".charCodeAt(0), token.dot],
  [",".charCodeAt(0), token.comma],
  ["*".charCodeAt(0), token.star],
  ["/".charCodeAt(0), token.slash],
  ["%".charCodeAt(0), token.percent],
  ["+".charCodeAt(0), token.plus],
  ["-".charCodeAt(0), token.minus],
  ["=".charCodeAt(0), token.equal],
  ["<".charCodeAt(0), token.less],
  [">".charCodeAt(0), token.greater],
  ["!".charCodeAt(0), token.bang],
  ["?".charCodeAt(0), token.question],
  [":".charCodeAt(0), token.colon],
  ["[".charCodeAt(0), token.openBracket],
  ["]".charCodeAt(0), token.closeBracket],
  ["(".charCodeAt(0), token.openParen],
  [")".charCodeAt(0), token.closeParen],
]);

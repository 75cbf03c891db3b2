import { blanks, type CharSet, complement, digits, lineEnds, union, withBothCases, words } from "./char-set.ts";

/** A pattern as a tree. */
export type Node =
  | { readonly type: "set"; readonly set: CharSet }
  | { readonly type: "sequence"; readonly parts: readonly Node[] }
  | { readonly type: "choice"; readonly parts: readonly Node[] }
  | { readonly type: "repeat"; readonly part: Node; readonly min: number; readonly max: number }
  | { readonly type: "place"; readonly place: Place };

/** A condition on where one stands, which takes no character. */
export type Place = "begin" | "end" | "word-edge" | "no-word-edge";

/** What is wrong with a pattern, for people. */
export class PatternError extends Error {}

/** Characters of a pattern, and groups within groups. */
export const patternLengthMax = 512;
const depthMax = 50;
const repeatsMax = 100;

const classes: Readonly<Record<string, CharSet>> = {
  d: digits,
  D: complement(digits),
  w: words,
  W: complement(words),
  s: blanks,
  S: complement(blanks),
};
const controls: Readonly<Record<string, number>> = { t: 9, n: 10, v: 11, f: 12, r: 13, 0: 0 };

/** Reads a regular expression in JavaScript's notation. What can't be matched in one pass over a line is refused. */
export function parsePattern(pattern: string): Node {
  if (pattern.length > patternLengthMax) throw new PatternError(`longer than ${patternLengthMax} characters`);
  return new Parser(pattern).parse();
}

class Parser {
  readonly #text: string;
  readonly #ignoresCase: boolean;
  #at = 0;
  #depth = 0;

  constructor(text: string) {
    this.#ignoresCase = text.startsWith("(?i)");
    this.#text = this.#ignoresCase ? text.slice(4) : text;
  }

  parse(): Node {
    const node = this.#choice();
    if (this.#at < this.#text.length) throw new PatternError('")" without "("');
    return node;
  }

  #choice(): Node {
    const parts = [this.#sequence()];
    while (this.#take("|")) parts.push(this.#sequence());
    return parts.length === 1 && parts[0] ? parts[0] : { type: "choice", parts };
  }

  #sequence(): Node {
    const parts: Node[] = [];
    while (this.#at < this.#text.length && !"|)".includes(this.#peek())) parts.push(this.#repeated(this.#atom()));
    return { type: "sequence", parts };
  }

  #repeated(part: Node): Node {
    const count = this.#count();
    if (!count) return part;
    if (part.type === "place") throw new PatternError(`"${this.#text.slice(0, this.#at)}": nothing to repeat`);
    const [min, max] = count;
    if (max < min) throw new PatternError(`{${min},${max}} is out of order`);
    if (min > repeatsMax || (max > repeatsMax && max !== Number.POSITIVE_INFINITY))
      throw new PatternError(`more than ${repeatsMax} repetitions`);
    // Whether as few or as many as possible are taken makes no difference to whether a line matches.
    this.#take("?");
    if (this.#count()) throw new PatternError(`"${this.#text.slice(0, this.#at)}": nothing to repeat`);
    return { type: "repeat", part, min, max };
  }

  #count(): [number, number] | undefined {
    if (this.#take("*")) return [0, Number.POSITIVE_INFINITY];
    if (this.#take("+")) return [1, Number.POSITIVE_INFINITY];
    if (this.#take("?")) return [0, 1];
    const found = /^\{(\d{1,6})(,(\d{0,6}))?\}/.exec(this.#text.slice(this.#at, this.#at + 16));
    if (!found) return undefined;
    this.#at += found[0].length;
    const min = Number(found[1]);
    if (found[2] === undefined) return [min, min];
    return [min, found[3] === "" ? Number.POSITIVE_INFINITY : Number(found[3])];
  }

  #atom(): Node {
    const letter = this.#next();
    switch (letter) {
      case "(":
        return this.#group();
      case "[":
        return { type: "set", set: this.#brackets() };
      case ".":
        return { type: "set", set: complement(lineEnds) };
      case "^":
        return { type: "place", place: "begin" };
      case "$":
        return { type: "place", place: "end" };
      case "\\":
        return this.#escape();
      case "*":
      case "+":
      case "?":
        throw new PatternError(`"${letter}": nothing to repeat`);
      default:
        return this.#literal(letter.charCodeAt(0));
    }
  }

  #group(): Node {
    if (this.#take("?") && !this.#take(":"))
      throw new PatternError(`"(?${this.#peek()}": only (?:…), and (?i) at the very beginning`);
    if (++this.#depth > depthMax) throw new PatternError(`more than ${depthMax} groups within each other`);
    const node = this.#choice();
    this.#depth--;
    if (!this.#take(")")) throw new PatternError('"(" without ")"');
    return node;
  }

  #escape(): Node {
    const letter = this.#peek();
    if (this.#take("b")) return { type: "place", place: "word-edge" };
    if (this.#take("B")) return { type: "place", place: "no-word-edge" };
    if (/[1-9k]/.test(letter)) throw new PatternError(`"\\${letter}": references to groups can't be used`);
    const escaped = this.#escaped();
    return typeof escaped === "number" ? this.#literal(escaped) : { type: "set", set: escaped };
  }

  /** What follows a backslash: one character, or a class of them. */
  #escaped(): number | CharSet {
    if (this.#at >= this.#text.length) throw new PatternError('"\\" at the end');
    const letter = this.#next();
    const known = classes[letter];
    if (known) return known;
    const control = controls[letter];
    if (control !== undefined) return control;
    if (letter === "x" || letter === "u") {
      const digitsWanted = letter === "x" ? 2 : 4;
      const hex = this.#text.slice(this.#at, this.#at + digitsWanted);
      if (!new RegExp(`^[0-9A-Fa-f]{${digitsWanted}}$`).test(hex))
        throw new PatternError(`"\\${letter}" needs ${digitsWanted} hexadecimal digits`);
      this.#at += digitsWanted;
      return Number.parseInt(hex, 16);
    }
    if (/[A-Za-z0-9]/.test(letter)) throw new PatternError(`"\\${letter}" is not known`);
    return letter.charCodeAt(0);
  }

  #brackets(): CharSet {
    const isNegated = this.#take("^");
    const ranges: (readonly [number, number])[] = [];
    while (!this.#take("]")) {
      if (this.#at >= this.#text.length) throw new PatternError('"[" without "]"');
      const first = this.#member();
      if (typeof first !== "number") {
        ranges.push(...first);
        continue;
      }
      if (this.#peek() !== "-" || this.#text[this.#at + 1] === "]") {
        ranges.push([first, first]);
        continue;
      }
      this.#at++;
      if (this.#at >= this.#text.length) throw new PatternError('"[" without "]"');
      const last = this.#member();
      if (typeof last !== "number" || last < first) throw new PatternError("a range in [] is out of order");
      ranges.push([first, last]);
    }
    const set = this.#cased(union(ranges));
    return isNegated ? complement(set) : set;
  }

  #member(): number | CharSet {
    const letter = this.#next();
    if (letter !== "\\") return letter.charCodeAt(0);
    // In brackets it is the character "backspace".
    return this.#take("b") ? 8 : this.#escaped();
  }

  #literal(code: number): Node {
    return { type: "set", set: this.#cased([[code, code]]) };
  }

  #cased(set: CharSet): CharSet {
    return this.#ignoresCase ? withBothCases(set) : set;
  }

  #peek(): string {
    return this.#text[this.#at] ?? "";
  }

  #next(): string {
    return this.#text[this.#at++] ?? "";
  }

  #take(letter: string): boolean {
    if (this.#peek() !== letter) return false;
    this.#at++;
    return true;
  }
}

/** A regular expression as its parts. */
export type PatternNode =
  | { readonly type: "one"; readonly holds: (code: number) => boolean }
  | { readonly type: "sequence"; readonly items: readonly PatternNode[] }
  | { readonly type: "choice"; readonly items: readonly PatternNode[] }
  | { readonly type: "repeat"; readonly item: PatternNode; readonly min: number; readonly max: number }
  | { readonly type: "begin" }
  | { readonly type: "end" };

/** What is wrong with a pattern, for people. */
export class PatternFault extends Error {}

type Holds = (code: number) => boolean;

const isDigit: Holds = (code) => code >= 48 && code <= 57;
const isWord: Holds = (code) =>
  isDigit(code) || (code >= 65 && code <= 90) || (code >= 97 && code <= 122) || code === 95;
const isSpace: Holds = (code) => /\s/.test(String.fromCharCode(code));
const isAny: Holds = (code) => code !== 10 && code !== 13 && code !== 0x2028 && code !== 0x2029;
const classes: Readonly<Record<string, Holds>> = {
  d: isDigit,
  w: isWord,
  s: isSpace,
  D: (code) => !isDigit(code),
  W: (code) => !isWord(code),
  S: (code) => !isSpace(code),
};
const controls: Readonly<Record<string, number>> = { t: 9, n: 10, v: 11, f: 12, r: 13 };

/** Reads the syntax of JavaScript's expressions, without what can't be matched in one pass. Throws PatternFault. */
export function parsePattern(source: string): PatternNode {
  const reader = new Reader(source);
  const node = reader.choice();
  if (!reader.isAtEnd) throw new PatternFault('has a ")" too many');
  return node;
}

class Reader {
  readonly #source: string;
  #at = 0;

  constructor(source: string) {
    this.#source = source;
  }

  get isAtEnd(): boolean {
    return this.#at >= this.#source.length;
  }

  choice(): PatternNode {
    const items = [this.#sequence()];
    while (this.#take("|")) items.push(this.#sequence());
    return items.length === 1 ? (items[0] as PatternNode) : { type: "choice", items };
  }

  #sequence(): PatternNode {
    const items: PatternNode[] = [];
    while (!this.isAtEnd && this.#next !== "|" && this.#next !== ")") items.push(this.#repeated());
    return { type: "sequence", items };
  }

  #repeated(): PatternNode {
    const item = this.#atom();
    const times = this.#times();
    if (times === undefined) return item;
    if (item.type === "begin" || item.type === "end") throw new PatternFault("repeats a beginning or an end");
    // Whether it takes much or little first does not matter to whether the whole matches.
    this.#take("?");
    if (this.#times() !== undefined) throw new PatternFault("repeats a repetition: put it in parentheses");
    return { type: "repeat", item, ...times };
  }

  #times(): { min: number; max: number } | undefined {
    const max = Number.POSITIVE_INFINITY;
    if (this.#take("*")) return { min: 0, max };
    if (this.#take("+")) return { min: 1, max };
    if (this.#take("?")) return { min: 0, max: 1 };
    if (this.#next !== "{") return undefined;
    const found = /^\{(\d{1,6})(,(\d{0,6}))?\}/.exec(this.#source.slice(this.#at));
    if (!found) throw new PatternFault('has a "{" without a number of times');
    this.#at += found[0].length;
    const min = Number(found[1]);
    const most = found[2] === undefined ? min : found[3] === "" ? max : Number(found[3]);
    if (most < min) throw new PatternFault("has numbers of times out of order");
    return { min, max: most };
  }

  #atom(): PatternNode {
    const letter = this.#next;
    this.#at++;
    if (letter === "(") return this.#group();
    if (letter === "[") return { type: "one", holds: this.#set() };
    if (letter === ".") return { type: "one", holds: isAny };
    if (letter === "^") return { type: "begin" };
    if (letter === "$") return { type: "end" };
    if (letter === "*" || letter === "+" || letter === "?") throw new PatternFault(`has nothing before "${letter}"`);
    if (letter === "\\") return { type: "one", holds: this.#escape() };
    if (letter === "{" || letter === "}" || letter === "]") throw new PatternFault(`has a lone "${letter}"`);
    return { type: "one", holds: only(letter.charCodeAt(0)) };
  }

  #group(): PatternNode {
    if (this.#next === "?" && !this.#source.startsWith("?:", this.#at))
      throw new PatternFault("must not look around or name groups");
    if (this.#take("?")) this.#take(":");
    const node = this.choice();
    if (!this.#take(")")) throw new PatternFault('lacks a ")"');
    return node;
  }

  /** After the backslash: a class, a control character, or the character itself. */
  #escape(): Holds {
    const letter = this.#next;
    this.#at++;
    if (letter === "") throw new PatternFault('ends with "\\"');
    if (Object.hasOwn(classes, letter)) return classes[letter] as Holds;
    return only(this.#literal(letter));
  }

  #literal(letter: string): number {
    if (Object.hasOwn(controls, letter)) return controls[letter] as number;
    if (/[A-Za-z0-9]/.test(letter)) throw new PatternFault(`does not know "\\${letter}": it can't refer back`);
    return letter.charCodeAt(0);
  }

  #set(): Holds {
    const negates = this.#take("^");
    const parts: Holds[] = [];
    while (!this.#take("]")) {
      const from = this.#member();
      if (typeof from === "function") {
        parts.push(from);
        continue;
      }
      if (this.#next !== "-" || this.#source[this.#at + 1] === "]") {
        parts.push(only(from));
        continue;
      }
      this.#at++;
      const to = this.#member();
      if (typeof to === "function" || to < from) throw new PatternFault("has a range out of order");
      parts.push((code) => code >= from && code <= to);
    }
    return negates ? (code) => !parts.some((holds) => holds(code)) : (code) => parts.some((holds) => holds(code));
  }

  #member(): number | Holds {
    if (this.isAtEnd) throw new PatternFault('lacks a "]"');
    const letter = this.#next;
    this.#at++;
    if (letter !== "\\") return letter.charCodeAt(0);
    const escaped = this.#next;
    this.#at++;
    if (escaped === "") throw new PatternFault('ends with "\\"');
    return Object.hasOwn(classes, escaped) ? (classes[escaped] as Holds) : this.#literal(escaped);
  }

  get #next(): string {
    return this.#source[this.#at] ?? "";
  }

  #take(letter: string): boolean {
    if (this.#next !== letter) return false;
    this.#at++;
    return true;
  }
}

function only(wanted: number): Holds {
  return (code) => code === wanted;
}
